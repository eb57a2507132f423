// Package store keeps unpacked root file systems, each under the digest of
// what it was unpacked from, so that an image is unpacked once.
//
// A tree appears under its key whole and on disk, or not at all: it is made
// aside, synced and renamed. A key has a lock (flock(2)), shared by those who
// use its tree and held alone by whoever makes or removes it, so that no crash
// leaves a lock behind.
//
// The store keeps the trees used last, a stated number of them, and those in
// use; the time of a key's lock file is that of its last use.
//
// The store belongs to root alone. What it hands out is not checked again
// here: whoever needs certainty computes the tree's digest.
//
//	trees/KEY/      finished trees
//	making/KEY.N/   trees in the making or on their way out
//	locks/KEY
package store
