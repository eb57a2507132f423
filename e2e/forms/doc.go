// Package forms holds what package harden reads in a runtime configuration
// against what the installed runc and the kernel make of it.
//
// Faults of reading alone belong beside harden/oci and harden/seccomp. The
// tests need root and runc, and fail without.
package forms
