package profiles

import "github.com/immure-dev/immure/harden"

//go:generate go run ./internal/moby/generate data/docker-default.json

// DockerDefault returns Docker's default filter on x86_64, with the calls of
// x86 and x32, for a container without capabilities on Linux 4.8 or later.
//
// Source: github.com/moby/profiles/seccomp v0.2.3, DefaultProfile, resolved as
// dockerd does.
func DockerDefault() harden.Syscalls { return dockerData() }
