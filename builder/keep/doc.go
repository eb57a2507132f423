// Package keep decides which files of a source an image keeps, and why.
//
// A [Keeper] is told what is needed: a program with the closure of its
// libraries, a path that the service may read, a file that the builder makes.
// It takes each from a source, with the symbolic links and directories on the
// way, and remembers the first reason. What no one asks for stays behind.
//
// [Keeper.Tree] refuses what has no place in an image: setuid files, devices,
// links that lead out of the tree, files that anyone may write, files that the
// service could not read.
package keep
