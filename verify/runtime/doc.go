// Package runtime starts a container with runc or crun and stays with it until
// nothing of it is left.
//
// [Run] is given a rootfs and a config.json that have been judged. It writes a
// private copy of exactly those bytes, has the runtime create and start the
// container, lets the caller judge it behind the service's execve(2) and before
// its first instruction, publishes its ports, forwards signals and answers with
// the service's own status.
//
// # What stays behind
//
// Nothing, however the run ends. Three walls see to it:
//
//   - Run itself cleans up on every path, signals included.
//   - A second process, the keeper, outlives a killed Run by as long as it takes
//     to kill the container and remove its state.
//   - [CleanStale] mends, at the next start, what even a killed keeper left, and
//     the bundle of a Run that was killed before it had one. A lock on the
//     bundle's directory, held by Run and its keeper, tells a live run from a
//     stale one.
//
// The keeper and the process that publishes ports are this very program,
// started again: its main function calls [Child] before anything else.
//
// Nothing here decides what may run (package verify does), and nothing here
// renders a configuration (harden/oci does).
package runtime
