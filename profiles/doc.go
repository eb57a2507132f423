// Package profiles holds named starting boundaries: what a kind of service
// needs ([Base], [Get]), what a container runtime itself calls between
// installing the filter and starting the service ([Floor]), and the widest
// request that still counts as the service's ([Strict], [Restricted]).
//
// All system calls are data, in the files under data: groups of calls with the
// reason and the source of each, and profiles that are lists of groups. What
// belongs here is such data and what reads it; what a form looks like is
// harden/*, which files and ports a service has is the builder's.
//
// No profile lets through what no service needs, whatever its name; the tests
// hold the list.
package profiles
