// Package image is the door that judges an image: what was signed about it,
// what it holds, and what it declares.
//
// Two signatures can speak for an image. A statement beside it, in the
// registry or layout, is about the manifest's digest and so about every byte.
// The seal inside it is about the tree digest of its flattened files and
// travels with them, wherever they are packed anew. Either suffices when it is
// a trusted key's; where both are there they must agree, and so must what the
// image itself declares: its labels, its configuration and the files beneath
// /.immure.
//
// Whoever verifies by a seal alone reads every file. Where the manifest's
// digest was signed, only the small layers that hold the seal and the
// declarations need be read; [Options] can ask for all of them.
package image
