package oci

import (
	"strings"

	"github.com/opencontainers/runtime-spec/specs-go"

	"github.com/immure-dev/immure/harden"
	"github.com/immure-dev/immure/harden/grant"
	"github.com/immure-dev/immure/harden/order"
)

// levels are the namespaces of a boundary by their runtime-spec type.
func levels(n *harden.Namespaces) map[specs.LinuxNamespaceType]*order.Level {
	return map[specs.LinuxNamespaceType]*order.Level{
		specs.CgroupNamespace: &n.Cgroup, specs.IPCNamespace: &n.IPC, specs.MountNamespace: &n.Mount,
		specs.NetworkNamespace: &n.Network, specs.PIDNamespace: &n.PID, specs.TimeNamespace: &n.Time, specs.UTSNamespace: &n.UTS,
	}
}

// namespaces reads an entry without a path as an own namespace, one with a path
// as joined, and a missing one as the host's.
func (r *reader) namespaces() {
	kinds := levels(&r.b.Namespaces)
	for _, level := range kinds {
		*level = "host"
	}
	r.b.UserNamespace = harden.UserNamespace{Level: "host", UIDs: order.AnySet[order.Range](), GIDs: order.AnySet[order.Range]()}
	seen := make(map[specs.LinuxNamespaceType]bool)
	for _, ns := range r.linux.Namespaces {
		if seen[ns.Type] {
			r.foreign("linux.namespaces: %s twice", ns.Type)
		}
		seen[ns.Type] = true
		level, ok := kinds[ns.Type]
		switch {
		case ns.Type == specs.UserNamespace && ns.Path == "":
			r.b.UserNamespace.Level = "own"
		case ns.Type == specs.UserNamespace:
			// What a joined one maps is not known here: the host's, at worst.
		case !ok:
			r.foreign("linux.namespaces: unknown type %q", ns.Type)
		case ns.Path == "":
			*level = "own"
		default:
			*level = "joined"
		}
	}
	r.idMaps()
	r.timeOffsets()
}

// idMaps reads which host ids the container's ids stand for.
func (r *reader) idMaps() {
	if r.b.UserNamespace.Level == "host" {
		if len(r.linux.UIDMappings)+len(r.linux.GIDMappings) > 0 {
			r.unread("userNamespace.level", "id mappings without a user namespace of its own")
		}
		return
	}
	r.b.UserNamespace.UIDs = r.hostIDs("userNamespace.uids", r.linux.UIDMappings)
	r.b.UserNamespace.GIDs = r.hostIDs("userNamespace.gids", r.linux.GIDMappings)
}

func (r *reader) hostIDs(facet string, mappings []specs.LinuxIDMapping) order.Set[order.Range] {
	var ranges []order.Range
	for _, m := range mappings {
		if m.Size == 0 {
			r.unread(facet, "a mapping of no ids")
			continue
		}
		ranges = append(ranges, order.Between(int64(m.HostID), int64(m.HostID)+int64(m.Size)-1))
	}
	if len(mappings) == 0 {
		r.unread(facet, "a user namespace without mappings")
	}
	return order.Of(ranges...)
}

func (r *reader) timeOffsets() {
	r.b.Process.TimeOffsets = order.None
	if len(r.linux.TimeOffsets) > 0 {
		r.b.Process.TimeOffsets = r.exact("process.timeOffsets", r.linux.TimeOffsets)
	}
}

// fileSystem reads the root mount and what is hidden or locked in it.
func (r *reader) fileSystem() {
	r.b.Rootfs = "writable"
	if r.spec.Root.Readonly {
		r.b.Rootfs = "readOnly"
	}
	// Runtimes make the root a slave where the configuration says nothing.
	r.b.Propagation, r.rootTree = "slave", true
	if p := r.linux.RootfsPropagation; p != "" {
		level, ok := propagations[p]
		if !ok {
			r.unread("propagation", "unknown propagation %q", p)
		}
		r.b.Propagation, r.rootTree = level, strings.HasPrefix(p, "r")
	}
	r.b.MaskedPaths = r.cover("maskedPaths", r.linux.MaskedPaths)
	for _, p := range r.b.MaskedPaths.Paths() {
		if order.Beneath("/dev", p) || order.Beneath("/proc", p) {
			r.unread("maskedPaths", "path %q holds what a runtime itself works with", p)
		}
	}
	// A hidden path is not writable either.
	locked := append(r.cover("readonlyPaths", r.linux.ReadonlyPaths).Paths(), r.b.MaskedPaths.Paths()...)
	r.b.ReadonlyPaths = order.Covering(locked...)
}

func (r *reader) cover(facet string, list []string) order.Cover {
	var paths []string
	for _, p := range list {
		if !clean(p) || p == "/" {
			r.unread(facet, "path %q is not absolute and clean, or the root", p)
			continue
		}
		paths = append(paths, p)
	}
	return order.Covering(paths...)
}

// netDevices lists the host's network devices that move into the container.
func (r *reader) netDevices() order.Set[grant.Name] {
	var list []string
	for name := range r.linux.NetDevices {
		list = append(list, name)
	}
	return names(list)
}
