package grant

import (
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/immure-dev/immure/harden/order"
)

// Rights that a [PathRight] can give.
var fileRights = []string{"create", "execute", "read", "write"}

// A PathRight is one right on a path and all that lies beneath it, written
// "read /etc/hello". Rights: read (files and directories), write (contents of
// existing files), create (make, rename, link, remove), execute (run, or map
// executable).
type PathRight string

func (r PathRight) split() (right, at string) {
	right, at, _ = strings.Cut(string(r), " ")
	return right, at
}

// Covers reports whether r gives the same right on the path or above it.
func (r PathRight) Covers(s PathRight) bool {
	right, at := r.split()
	other, below := s.split()
	return right == other && order.Beneath(below, at)
}

// Common returns the deeper of two when one covers the other.
func (r PathRight) Common(s PathRight) (PathRight, bool) {
	if r.Covers(s) {
		return s, true
	}
	return r, s.Covers(r)
}

// Check reports an unknown right or a path that is not absolute and clean.
func (r PathRight) Check() error {
	right, at := r.split()
	if !slices.Contains(fileRights, right) {
		return fmt.Errorf("right %q is none of %q", right, fileRights)
	}
	return checkPath(at)
}

func (r PathRight) String() string { return string(r) }

func checkPath(p string) error {
	if err := checkText(p); err != nil {
		return err
	}
	if !path.IsAbs(p) || path.Clean(p) != p {
		return fmt.Errorf("path %q is not absolute and clean", p)
	}
	return nil
}

// A Slot is a place where something may be mounted.
type Slot struct {
	// At is the destination, resolved inside the root file system.
	At string `json:"at"`
	// Digest pins the content, or is "any".
	Digest order.Exact `json:"digest"`
	// Flags that the mount has at least: "ro", "nosuid", "nodev", "noexec".
	Flags []string `json:"flags"`
	// Kind says what may fill it: a kernel file system ("proc", "sysfs",
	// "devpts", "mqueue", "cgroup"), "tmpfs", "volume", "config", "secret",
	// "hosts", "engine" (what an engine always brings), or "bind", a path of
	// the host.
	Kind string `json:"kind"`
	// Propagation is "private", "slave" or "shared".
	Propagation order.Level `json:"propagation"`
	// SizeMaxBytes is of a tmpfs.
	SizeMaxBytes order.Limit `json:"sizeMaxBytes"`
	// Source is the host's path for "bind", empty otherwise.
	Source string `json:"source"`
}

var (
	slotKinds   = []string{"bind", "cgroup", "config", "devpts", "engine", "hosts", "mqueue", "proc", "secret", "sysfs", "tmpfs", "volume"}
	slotFlags   = []string{"nodev", "noexec", "nosuid", "ro"}
	propagation = order.Chain{"private", "slave", "shared"}
)

// NewSlot is a private, unlimited slot of the given kind with the given flags.
func NewSlot(at, kind string, flags ...string) Slot {
	f := append(make([]string, 0, len(flags)), flags...)
	slices.Sort(f)
	return Slot{At: at, Kind: kind, Flags: slices.Compact(f), Propagation: "private", SizeMaxBytes: order.Unlimited(), Digest: order.Any}
}

// Covers reports whether s permits every mount that m stands for.
func (s Slot) Covers(m Slot) bool {
	for _, f := range s.Flags {
		if !slices.Contains(m.Flags, f) {
			return false
		}
	}
	return s.same(m) && propagation.Over(m.Propagation, s.Propagation) == nil &&
		m.SizeMaxBytes.Over(s.SizeMaxBytes) == nil && m.Digest.Over(s.Digest) == nil
}

func (s Slot) same(m Slot) bool { return s.At == m.At && s.Kind == m.Kind && s.Source == m.Source }

// Common returns the mounts that both permit.
func (s Slot) Common(m Slot) (Slot, bool) {
	out := NewSlot(s.At, s.Kind, append(slices.Clone(s.Flags), m.Flags...)...)
	out.Source = s.Source
	var err1, err2, err3 error
	out.Propagation, err1 = propagation.Meet(s.Propagation, m.Propagation)
	out.SizeMaxBytes, err2 = s.SizeMaxBytes.Meet(m.SizeMaxBytes)
	out.Digest, err3 = s.Digest.Meet(m.Digest)
	return out, s.same(m) && err1 == nil && err2 == nil && err3 == nil
}

// Check reports a malformed slot.
func (s Slot) Check() error {
	if err := checkPath(s.At); err != nil {
		return err
	}
	if !slices.Contains(slotKinds, s.Kind) {
		return fmt.Errorf("mount at %s: kind %q is none of %q", s.At, s.Kind, slotKinds)
	}
	if (s.Kind == "bind") != (s.Source != "") {
		return fmt.Errorf("mount at %s: a source is for kind bind, and bind needs one", s.At)
	}
	if s.Flags == nil || !slices.IsSorted(s.Flags) {
		return fmt.Errorf("mount at %s: flags are not a sorted list", s.At)
	}
	for i, f := range s.Flags {
		if !slices.Contains(slotFlags, f) || (i > 0 && s.Flags[i-1] == f) {
			return fmt.Errorf("mount at %s: flag %q is none of %q, once each", s.At, f, slotFlags)
		}
	}
	if err := propagation.Check(s.Propagation); err != nil {
		return fmt.Errorf("mount at %s: propagation: %w", s.At, err)
	}
	if err := s.SizeMaxBytes.Check(); err != nil {
		return fmt.Errorf("mount at %s: size: %w", s.At, err)
	}
	return s.Digest.Check()
}

func quoted(p string) string {
	if strings.Trim(p, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789/._-+@:") == "" {
		return p
	}
	return strconv.Quote(p)
}

func (s Slot) String() string {
	var b strings.Builder
	// Paths may hold spaces and commas; quoted, no two slots read the same.
	fmt.Fprintf(&b, "%s %s", quoted(s.At), s.Kind)
	if s.Source != "" {
		fmt.Fprintf(&b, " of %s", quoted(s.Source))
	}
	if len(s.Flags) > 0 {
		fmt.Fprintf(&b, " %s", strings.Join(s.Flags, ","))
	}
	if s.Propagation != "private" {
		fmt.Fprintf(&b, " %s", s.Propagation)
	}
	if n, ok := s.SizeMaxBytes.Value(); ok {
		fmt.Fprintf(&b, " size=%d", n)
	}
	if s.Digest != order.Any {
		fmt.Fprintf(&b, " digest=%s", s.Digest)
	}
	return b.String()
}
