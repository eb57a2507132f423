package oci

import (
	"fmt"
	"slices"
	"strconv"

	"github.com/opencontainers/runtime-spec/specs-go"

	"github.com/immure-dev/immure/harden/grant"
	"github.com/immure-dev/immure/harden/order"
)

// usualSlots are mounted where a boundary permits any mount: what programs
// expect of a container.
var usualSlots = []grant.Slot{
	grant.NewSlot("/dev", "tmpfs", "nosuid"), grant.NewSlot("/dev/pts", "devpts", "nosuid", "noexec"),
	grant.NewSlot("/dev/shm", "tmpfs", "nosuid", "nodev", "noexec"), grant.NewSlot("/proc", "proc", "nosuid", "nodev", "noexec"),
}

// systemSize bounds the tmpfs on /dev and /dev/shm where their slots do not, as
// runc spec does.
const systemSize = 64 << 20

// mounts fills the slots that the kernel can fill, and those that the input
// names a source for. The slots' order puts parents first.
func (w *writer) mounts() error {
	slots := w.b.Mounts.Members()
	if w.b.Mounts.IsAny() {
		slots = usualSlots
	}
	left := len(w.in.Mounts)
	for _, s := range slots {
		source, given := w.in.Mounts[s.At]
		if s.Kind == "bind" && !given {
			source = s.Source
		}
		switch {
		case given && fileSystems[s.Kind] != "":
			return fmt.Errorf("%s: a %s takes no source", s.At, s.Kind)
		case given && !clean(source):
			return fmt.Errorf("%s: source %q is not absolute and clean", s.At, source)
		case s.Kind == "bind" && source != s.Source:
			return fmt.Errorf("%s: source %q is not %q", s.At, source, s.Source)
		case s.SizeMaxBytes == order.AtMost(0):
			return fmt.Errorf("%s: a size of 0 cannot be asked for: the kernel takes it for no limit", s.At)
		case fileSystems[s.Kind] != "":
			w.spec.Mounts = append(w.spec.Mounts, w.kernelMount(s))
		case source != "":
			w.spec.Mounts = append(w.spec.Mounts, specs.Mount{
				Destination: s.At, Type: "bind", Source: source, Options: append([]string{"bind", "rprivate"}, s.Flags...),
			})
		}
		if given {
			left--
		}
	}
	if left > 0 {
		return fmt.Errorf("a source is given for a destination that has no slot")
	}
	return nil
}

// kernelMount is a mount without a source of its own.
func (w *writer) kernelMount(s grant.Slot) specs.Mount {
	m := specs.Mount{Destination: s.At, Type: s.Kind, Source: s.Kind, Options: slices.Clone(s.Flags)}
	if w.b.Propagation == "shared" { // or a new mount would be as its parent is
		m.Options = append(m.Options, "rprivate")
	}
	switch s.Kind {
	case "devpts":
		m.Options = append(m.Options, "newinstance", "ptmxmode=0666", "mode=0620")
	case "cgroup":
		m.Options = append(m.Options, "relatime")
	case "tmpfs":
		m.Options = append(m.Options, w.tmpfs(s)...)
	}
	return m
}

func (w *writer) tmpfs(s grant.Slot) []string {
	size, bounded := s.SizeMaxBytes.Value()
	// The service owns its scratch: runc 1.1 sets the mode of the image's own
	// directory afterwards, whatever the options say (mountToRootfs).
	u := w.spec.Process.User
	options := []string{"mode=700", fmt.Sprintf("uid=%d", u.UID), fmt.Sprintf("gid=%d", u.GID)}
	switch s.At {
	case "/dev":
		options = []string{"strictatime", "mode=755"}
	case "/dev/shm":
		options = []string{"mode=1777"}
	case "/tmp", "/var/tmp":
		options[0] = "mode=1777"
	}
	if !bounded && (s.At == "/dev" || s.At == "/dev/shm") {
		size, bounded = systemSize, true
	}
	if bounded {
		options = append(options, "size="+strconv.FormatInt(size, 10))
	}
	return options
}
