// Package docker writes a boundary as the flags of docker run, for people who
// start a service by hand.
//
// The flags cannot say all that a boundary does: masked paths, devices and the
// cgroup path are the daemon's own, and what Docker adds (hosts, resolv.conf,
// HOSTNAME) comes with it. What a flag exists for and cannot say is an error.
//
// Source: docker run reference, docs.docker.com/reference/cli/docker/container/run.
package docker
