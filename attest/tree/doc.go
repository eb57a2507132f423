// Package tree computes the tree digest immureTree1: one SHA-256 over the whole
// flattened root file system of an image, whatever layers it came in.
//
// It is what a seal is about, so that a node can judge a container with its
// root file system and a trusted key alone. The bytes are specified in
// docs/tree-digest.md.
//
// The digest is strict. What engines leave in a root file system beside the
// image's own files is not known here: the gate recognises it before it asks
// for the digest.
package tree
