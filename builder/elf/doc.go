// Package elf finds the closure of a program: the ELF interpreter, every
// shared library and every symbolic link without which it would not start,
// each with the reason why it is kept.
//
// It follows ld.so(8) and reads what the kernel and ld.so read: the program
// headers and the dynamic array, never the section headers, which may be
// missing or lie. It runs nothing. What it cannot resolve the way ld.so would,
// it refuses: a library that is missing, a search path that depends on the
// processor, a program for another machine.
//
// What does not belong here: which files beside libraries a service needs,
// what an image may hold (the builder decides on executable stacks and setuid
// bits), and where the files come from: a [Source] is a root file system in
// memory or a directory of the host.
//
// Source: System V ABI chapter 5 (gABI), ELF-64 object file format,
// Linux fs/binfmt_elf.c, ld.so(8), ldconfig(8).
package elf
