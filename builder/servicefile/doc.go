// Package servicefile reads immure.yaml, in which an author says what one
// service is made from, how it is started and what it may do.
//
// [Parse] knows the grammar and what the document alone can contradict; every
// problem has a line and a column. It reads no other file and makes no
// boundary: package builder lays what a [File] states over a profile. What a
// file may not say without a waiver is decided by [Wide].
//
// docs/service-file.md describes the keys for people,
// docs/service-file.schema.json for editors.
package servicefile
