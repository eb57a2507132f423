package oci

import (
	"fmt"

	"github.com/opencontainers/runtime-spec/specs-go"

	"github.com/immure-dev/immure/harden"
)

// maxForeign bounds how much of a hostile document is repeated in a refusal.
const maxForeign = 32

// Options answer what a configuration alone does not say. The zero value
// resolves paths lexically and takes every bind mount for a path of the host.
type Options struct {
	// Resolve returns where an absolute path leads inside the rootfs once its
	// links are followed.
	Resolve func(path string) string
	// Classify returns the slot kind of a bind mount's source, as "volume" or
	// "hosts"; false for a path of the host without a kind.
	Classify func(source string) (kind string, ok bool)
}

// Parse reads a config.json. Every facet of [Facets] is stated or named as
// unread with the reason. The error is for what is no configuration at all:
// broken or ambiguous JSON, no process, no root.
func Parse(data []byte, o Options) (harden.Reading, error) {
	spec, unknown, err := decode(data)
	if err != nil {
		return harden.Reading{}, fmt.Errorf("parse OCI configuration: %w", err)
	}
	if spec.Process == nil || spec.Root == nil {
		return harden.Reading{}, fmt.Errorf("parse OCI configuration: it has no process or no root section")
	}
	if spec.Linux == nil {
		spec.Linux = new(specs.Linux) // no restriction of Linux is asked for
	}
	r := reader{
		spec: spec, linux: spec.Linux, process: spec.Process, options: o,
		out: harden.Reading{Form: "OCI configuration", Facets: Facets(), Unread: make(map[string]string), Foreign: unknown},
	}
	r.b = &r.out.Boundary
	r.platforms()
	r.credentials()
	r.namespaces()
	r.fileSystem()
	r.mounts()
	r.devices()
	r.resources()
	r.rlimits()
	r.start()
	r.exacts()
	r.rest()
	return r.out, nil
}

// A reader fills in a reading from a decoded configuration.
type reader struct {
	spec    *specs.Spec
	linux   *specs.Linux
	process *specs.Process
	options Options
	out     harden.Reading
	b       *harden.Boundary

	rootTree bool     // the root's propagation is of what is mounted beneath it too
	shared   []string // destinations of shared mounts so far
}

// unread says why a facet could not be read; the first reason stays.
func (r *reader) unread(facet, format string, args ...any) {
	if _, ok := r.out.Unread[facet]; !ok {
		r.out.Unread[facet] = shorten(fmt.Sprintf(format, args...))
	}
}

// foreign names what no facet covers.
func (r *reader) foreign(format string, args ...any) {
	if len(r.out.Foreign) < maxForeign {
		r.out.Foreign = append(r.out.Foreign, shorten(fmt.Sprintf(format, args...)))
	}
}

func (r *reader) platforms() {
	for _, name := range pick([]setting{
		{"freebsd", r.spec.FreeBSD != nil},
		{"solaris", r.spec.Solaris != nil},
		{"vm", r.spec.VM != nil},
		{"windows", r.spec.Windows != nil},
		{"zos", r.spec.ZOS != nil},
	}) {
		r.foreign("section %s", name)
	}
	if r.process.CommandLine != "" {
		r.foreign("process.commandLine, which is for Windows")
	}
	if r.process.User.Username != "" {
		r.foreign("process.user.username, which is for Windows")
	}
}
