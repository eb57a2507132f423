// Package builder makes the image of one service out of its service file.
//
// [Build] gathers the files (a Go program, a program of the host, a directory,
// another image, Debian packages), keeps those that something asks for, each
// with its reason, composes the service's boundary from a profile and what the
// file states, and bakes both into a [Result]. [Result.Image] is the image,
// the same bytes for the same input wherever and whenever it is built.
//
// Nothing is written but the lock file of Debian packages: where the image
// goes, and who signs it, is the caller's. The builder does not know how
// statements are signed (package attest), nor who judges them (package verify).
package builder
