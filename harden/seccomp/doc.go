// Package seccomp is the native form of a system call policy: the seccomp
// section of an OCI runtime configuration, and the KEP-6061 artifact made of it.
//
// [Render] writes a policy, [Parse] reads one, and reading what was written
// gives a policy within the first and the reverse. What absence means is
// decided here: no section is no filter, no architectures is the native one,
// no errno is EPERM.
//
// What a runtime's libseccomp makes of a name that it does not know is not
// decided here; names are data. Comparison of policies belongs in package
// harden.
//
// Sources: runtime-spec config-linux.md, section "Seccomp"; runc
// libcontainer/specconv and libcontainer/seccomp; crun src/libcrun/seccomp.c.
package seccomp
