// Package engines runs one image under each OCI runtime that is supported, and
// under each as it would be if it did not do as it is told. The tests have the
// build tag e2e, need root, and drive bin/immure as `make build` left it.
package engines
