package profiles

import (
	"fmt"
	"slices"
	"strings"

	"github.com/immure-dev/immure/harden"
	"github.com/immure-dev/immure/harden/grant"
	"github.com/immure-dev/immure/harden/order"
)

// Strict returns the envelope that asks for the service and nothing else: the
// service with the given floors, or, without any, with the floor of every
// runtime that [Runtimes] lists. It fails for an architecture that no floor was
// measured on.
func Strict(service harden.Boundary, floors ...[]harden.SyscallRule) (harden.Boundary, error) {
	out := service
	if archs := service.Syscalls.Architectures(); !service.Syscalls.IsUnconfined() && !slices.Equal(archs, []string{"x86_64"}) {
		return harden.Boundary{}, fmt.Errorf("make strict envelope: floors are measured on x86_64 alone, not on %s", strings.Join(archs, ", "))
	}
	if len(floors) == 0 {
		all, err := Floors()
		if err != nil {
			return harden.Boundary{}, err
		}
		floors = append(floors, all)
	}
	for _, rules := range floors {
		out.Syscalls = out.Syscalls.With(rules...)
	}
	return within(service, out, "strict")
}

// Restricted returns the envelope in the shape of Kubernetes' restricted Pod
// Security Standard, as wide as the defaults of Docker, Podman and containerd:
// the engine's default filter, the pod's namespaces, masked paths that all of
// them mask, their mounts and variables. Capabilities, user, rootfs, arguments
// and resources stay the service's; nothing is privileged.
//
// It fails where the service is more than that: a call that the engines' default
// refuses, a capability but CAP_NET_BIND_SERVICE, root as user, a writable root
// file system, namespaces or paths of the host, no no-new-privileges.
// SELinux labels and hooks stay the service's, so that an engine that asks for
// some is refused.
//
// Source: kubernetes.io, Pod Security Standards, Restricted; see engines.go.
func Restricted(service harden.Boundary) (harden.Boundary, error) {
	if err := unprivileged(service); err != nil {
		return harden.Boundary{}, fmt.Errorf("make restricted envelope: %w", err)
	}
	out := service
	out.Syscalls = DockerDefault()
	if over := service.Syscalls.Over(out.Syscalls); len(over) > 0 {
		return harden.Boundary{}, fmt.Errorf("make restricted envelope: no engine's default lets through %s; leave it out, or use envelope strict", strings.Join(over, ", "))
	}
	if !service.User.GID.Covers(order.Only(0)) {
		out.User.Groups = out.User.Groups.With(service.User.GID)
	}
	for _, at := range []*order.Level{&out.Namespaces.Network, &out.Namespaces.IPC, &out.Namespaces.UTS} {
		*at = widest(*at, "own", "pod")
	}
	out.Namespaces.Cgroup = "host"
	out.Scopes.AbstractSockets = "any" // they belong to the network namespace
	out.Mounts = out.Mounts.With(engineMounts()...)
	out.Propagation = widest(out.Propagation, "private", "slave")
	out.MaskedPaths = shared(service.MaskedPaths, maskedByAll)
	out.ReadonlyPaths = shared(service.ReadonlyPaths, readonlyPaths)
	out.Devices.Access = out.Devices.Access.With(append([]grant.Device{consoleDevice}, runtimeDevices...)...)
	out.AppArmor = grant.AppArmorUnconfined
	out.Rlimits = grant.UnlimitedRlimits()
	out.Resources.Other = out.Resources.Other.With(engineResources...)
	out.CgroupsPath = out.CgroupsPath.With(engineCgroups...)
	out.Sysctls = out.Sysctls.With(engineSysctls...)
	out.Process.Env = out.Process.Env.With(engineEnv...)
	out.Process.Descriptors = out.Process.Descriptors.With("stdio", "terminal")
	out.Process.OOMScoreAdj = covering(out.Process.OOMScoreAdj, guaranteedOOMScoreAdj, 1000)
	return within(service, out, "restricted")
}

// guaranteedOOMScoreAdj is what Kubernetes gives a pod whose resources are
// guaranteed, its lowest for a container. Source: kubernetes
// pkg/kubelet/qos/policy.go.
const guaranteedOOMScoreAdj = -997

// within makes sure that an envelope holds its service, whatever the service.
func within(service, envelope harden.Boundary, name string) (harden.Boundary, error) {
	if err := service.Check(); err != nil {
		return harden.Boundary{}, fmt.Errorf("make %s envelope: %w", name, err)
	}
	if over := service.Over(envelope); len(over) > 0 {
		return harden.Boundary{}, fmt.Errorf("make %s envelope: %w", name, &harden.ExcessError{Excesses: over})
	}
	return envelope, nil
}

// widest raises a level from one to another, and leaves any other as it is.
func widest(l, from, to order.Level) order.Level {
	if l == from {
		return to
	}
	return l
}

// shared returns those of the engines' paths that the service covers as well.
func shared(service order.Cover, engines []string) order.Cover {
	var both []string
	for _, p := range engines {
		if one := order.Covering(p); service.Over(one) == nil {
			both = append(both, p)
		}
	}
	return order.Covering(both...)
}

// covering is the smallest range that holds r and both ends.
func covering(r order.Range, lo, hi int64) order.Range {
	a, b := r.Bounds()
	return order.Between(min(a, lo), max(b, hi))
}
