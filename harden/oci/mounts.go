package oci

import (
	"fmt"
	"path"
	"slices"

	"github.com/opencontainers/runtime-spec/specs-go"

	"github.com/immure-dev/immure/harden/grant"
	"github.com/immure-dev/immure/harden/order"
)

// sealed is the directory that the image's evidence lies in.
const sealed = "/.immure"

// fileSystems are the slot kinds of what the kernel mounts, by type.
var fileSystems = map[string]string{
	"cgroup": "cgroup", "cgroup2": "cgroup", "devpts": "devpts", "mqueue": "mqueue", "proc": "proc", "sysfs": "sysfs", "tmpfs": "tmpfs",
}

func clean(p string) bool { return path.IsAbs(p) && path.Clean(p) == p }

func (r *reader) mounts() {
	var slots []grant.Slot
	r.b.IDMappedMounts = "none"
	for i, m := range r.spec.Mounts {
		slot, idMapped, err := r.mount(m)
		if err != nil {
			r.unread("mounts", "mount %d at %q: %v", i, m.Destination, err)
			continue
		}
		if idMapped {
			r.b.IDMappedMounts = "any"
		}
		r.guard(slot.At)
		slots = append(slots, slot)
	}
	r.b.Mounts = order.Of(slots...)
}

func (r *reader) mount(m specs.Mount) (slot grant.Slot, idMapped bool, err error) {
	// crun follows a link before it takes "..", runc cleans the path first.
	at := m.Destination
	if !clean(at) {
		return slot, false, fmt.Errorf("the destination is not absolute and clean")
	}
	if r.options.Resolve != nil {
		if at = r.options.Resolve(at); !clean(at) {
			return slot, false, fmt.Errorf("the destination leads to %q", at)
		}
	}
	kind := fileSystems[m.Type]
	options, err := parseOptions(m.Type, m.Options)
	if err != nil {
		return slot, false, err
	}
	hostTree := false
	switch {
	case options.bind: // a runtime ignores the type of a bind mount
		if slot, err = r.bind(at, m.Source); err != nil {
			return slot, false, err
		}
		hostTree = options.tree && slot.Kind == "bind"
	case kind != "":
		slot = grant.NewSlot(at, kind)
	default:
		return slot, false, fmt.Errorf("no slot is for type %q", m.Type)
	}
	slot.Flags = options.flagList(hostTree)
	slot.Propagation = r.mountPropagation(slot, options)
	if slot.Kind == "tmpfs" {
		slot.SizeMaxBytes, err = options.size()
	}
	return slot, options.idMapped || m.UIDMappings != nil || m.GIDMappings != nil, err
}

// bind asks what the source is. It is compared as written: following it is for
// whoever can see the host.
func (r *reader) bind(at, source string) (grant.Slot, error) {
	if !path.IsAbs(source) {
		return grant.Slot{}, fmt.Errorf("the source %q is not absolute", source)
	}
	if r.options.Classify != nil {
		if kind, ok := r.options.Classify(source); ok && kind != "bind" {
			return grant.NewSlot(at, kind), nil
		}
	}
	slot := grant.NewSlot(at, "bind")
	slot.Source = source
	return slot, nil
}

// mountPropagation is what is asked for, and where nothing is, what follows
// from where the mount comes from and where it goes. What is asked for without
// what is mounted beneath does not cover a tree.
func (r *reader) mountPropagation(s grant.Slot, l optionList) order.Level {
	isBind := fileSystems[s.Kind] == ""
	level := r.unasked(s.At, isBind)
	switch {
	case l.propagation == "":
	case isBind && l.tree && l.shallow:
		level = widest(level, l.propagation)
	default:
		level = l.propagation
	}
	if level == "shared" {
		r.shared = append(r.shared, s.At)
	}
	return level
}

// unasked is the propagation of a mount that asks for none. A bind mount keeps
// its source's, which the root has lowered only where it was recursive; a mount
// on a shared one is shared (Linux Documentation/filesystems/sharedsubtree.rst,
// "Mount semantics").
func (r *reader) unasked(at string, isBind bool) order.Level {
	root := r.b.Propagation
	beneath := func(other string) bool { return order.Beneath(at, other) }
	switch {
	case root == "" || root == "shared" || slices.ContainsFunc(r.shared, beneath) || (isBind && !r.rootTree):
		return "shared"
	case isBind:
		return root
	}
	return "private"
}

// guard refuses a mount that hides or replaces what was sealed, or the program.
func (r *reader) guard(at string) {
	if order.Beneath(at, sealed) || order.Beneath(sealed, at) {
		r.foreign("mount at %s: nothing may be mounted at, above or beneath %s", at, sealed)
	}
	if args := r.process.Args; len(args) > 0 && path.IsAbs(args[0]) && order.Beneath(path.Clean(args[0]), at) {
		r.foreign("mount at %s hides the program %s", at, args[0])
	}
}
