package oci

import (
	"encoding/json"
	"fmt"

	"github.com/opencontainers/runtime-spec/specs-go"

	"github.com/immure-dev/immure/harden"
	"github.com/immure-dev/immure/harden/seccomp"
)

// configVersion is what the oldest supported runtimes take: runc 1.1, crun 1.8.
const configVersion = "1.0.2"

// Input is what a configuration needs and a boundary only bounds. Every value
// is checked to lie within the boundary.
type Input struct {
	// ID is the container's, for the cgroup path.
	ID string
	// Rootfs is the path of the root file system, absolute or relative to the
	// bundle.
	Rootfs string
	// Hostname is set where the container has its own; "" leaves the runtime's.
	Hostname string
	// UID and GID choose where the boundary gives a range; nil otherwise.
	UID, GID *uint32
	// Args and Cwd choose where the boundary gives a pattern; empty otherwise.
	Args []string
	Cwd  string
	// Env are NAME=value, beside the variables that the boundary spells out.
	Env []string
	// Mounts are host paths by destination, for slots that a runtime cannot
	// fill by itself: volume, config, secret, hosts, engine.
	Mounts map[string]string
	// Devices are nodes to make.
	Devices []specs.LinuxDevice
	// Terminal asks for one.
	Terminal bool
}

// Render writes the configuration of a container that lives in b: every facet
// of [Facets] has b's value or a tighter one. What b merely permits (hooks,
// annotations, network devices, empty slots) is not asked for. Boundaries that
// the form cannot say, and input that b does not permit, are errors that name
// the facet.
//
// The system calls of b are written as they are: what the runtime itself needs
// between the filter and the program must be among them.
func Render(b harden.Boundary, in Input) (*specs.Spec, error) {
	if err := b.Check(); err != nil {
		return nil, fmt.Errorf("render OCI configuration: %w", err)
	}
	if in.Rootfs == "" {
		return nil, fmt.Errorf("render OCI configuration: no root file system is given")
	}
	w := writer{b: b, in: in, spec: &specs.Spec{
		Version: ociVersion(b.Runtime.OCIVersion),
		Process: &specs.Process{Terminal: in.Terminal},
		Root:    &specs.Root{Path: in.Rootfs, Readonly: b.Rootfs == "readOnly"},
		Linux:   new(specs.Linux),
	}}
	for _, part := range []struct {
		facet string
		write func() error
	}{
		{"syscalls", w.syscalls},
		{"capabilities", w.capabilities},
		{"user", w.user},
		{"userNamespace", w.userNamespace},
		{"namespaces", w.namespaces},
		{"mounts", w.mounts},
		{"devices", w.devices},
		{"apparmor", w.labels},
		{"rlimits", w.rlimits},
		{"resources", w.resources},
		{"cgroupsPath", w.cgroupsPath},
		{"sysctls", w.sysctls},
		{"process", w.process},
	} {
		if err := part.write(); err != nil {
			return nil, fmt.Errorf("render OCI configuration: %s: %w", part.facet, err)
		}
	}
	return w.spec, nil
}

// RenderJSON is [Render] as the bytes of a config.json, indented, with a
// newline at the end.
func RenderJSON(b harden.Boundary, in Input) ([]byte, error) {
	spec, err := Render(b, in)
	if err != nil {
		return nil, err
	}
	data, err := json.MarshalIndent(spec, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("render OCI configuration: %w", err)
	}
	return append(data, '\n'), nil
}

// A writer fills in a configuration from a boundary.
type writer struct {
	b    harden.Boundary
	in   Input
	spec *specs.Spec
}

func (w *writer) syscalls() (err error) {
	w.spec.Linux.Seccomp, err = seccomp.Render(w.b.Syscalls)
	return err
}

func (w *writer) namespaces() error {
	levels := levels(&w.b.Namespaces)
	for _, kind := range []specs.LinuxNamespaceType{
		specs.MountNamespace, specs.PIDNamespace, specs.NetworkNamespace, specs.IPCNamespace,
		specs.UTSNamespace, specs.CgroupNamespace, specs.TimeNamespace,
	} {
		if *levels[kind] != "host" {
			w.spec.Linux.Namespaces = append(w.spec.Linux.Namespaces, specs.LinuxNamespace{Type: kind})
		}
	}
	if w.b.UserNamespace.Level == "own" {
		w.spec.Linux.Namespaces = append(w.spec.Linux.Namespaces, specs.LinuxNamespace{Type: specs.UserNamespace})
	}
	if w.in.Hostname != "" {
		if w.b.Namespaces.UTS == "host" {
			return fmt.Errorf("hostname %q would be the host's own", w.in.Hostname)
		}
		w.spec.Hostname = w.in.Hostname
	}
	w.spec.Linux.RootfsPropagation = "r" + string(w.b.Propagation)
	w.spec.Linux.MaskedPaths = w.b.MaskedPaths.Paths()
	w.spec.Linux.ReadonlyPaths = w.b.ReadonlyPaths.Paths()
	return nil
}

func (w *writer) devices() (err error) {
	if w.spec.Linux.Devices, err = renderNodes(w.b.Devices.Nodes, w.in.Devices); err != nil {
		return err
	}
	w.limits().Devices, err = renderAccess(w.b.Devices.Access)
	return err
}

func (w *writer) limits() *specs.LinuxResources {
	if w.spec.Linux.Resources == nil {
		w.spec.Linux.Resources = new(specs.LinuxResources)
	}
	return w.spec.Linux.Resources
}
