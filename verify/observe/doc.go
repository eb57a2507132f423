// Package observe reads from the running kernel what holds for a process: the
// truth that a signed boundary is compared with.
//
// It reads and decodes, strictly and within bounds, and reports an error
// rather than a guess; what the findings mean is decided in package verify.
package observe
