package builder

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/immure-dev/immure/builder/servicefile"
	"github.com/immure-dev/immure/harden"
	"github.com/immure-dev/immure/harden/grant"
	"github.com/immure-dev/immure/harden/order"
	"github.com/immure-dev/immure/profiles"
)

// found is what the files say of the boundary.
type found struct {
	executable string            // the real path of the program
	rights     []grant.PathRight // on what is kept
	execStack  bool              // and the author has waived it
}

// defaultPath is PATH where the author states none: the value that engines set
// for an image without one.
// Source: moby/moby pkg/system/path_unix.go and its successors, DefaultPathEnv.
const defaultPath = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

// A composer lays what the file states over a profile.
type composer struct {
	file    *servicefile.File
	profile profiles.Profile
	b       harden.Boundary
	origins origins
	env     []string // literal variables of the image
}

// compose gives the service's boundary.
func compose(f *servicefile.File, from found) (*composer, error) {
	name := cmp.Or(f.Profile, defaultProfile(f))
	p, err := profiles.Get(name)
	if err != nil {
		return nil, fmt.Errorf("%s: boundary.profile: %w", f.At("boundary.profile"), err)
	}
	c := &composer{file: f, profile: p, b: p.Boundary, env: slices.Clone(f.Run.Env)}
	c.origins.start("profile:" + name)
	c.stated()
	c.process(from)
	c.user()
	if err := c.syscalls(); err != nil {
		return nil, err
	}
	c.mounts()
	c.rights(from)
	c.lowPorts()
	if err := c.b.Check(); err != nil {
		return nil, fmt.Errorf("%s: boundary: %w", f.At("boundary"), err)
	}
	return c, nil
}

func defaultProfile(f *servicefile.File) string {
	switch {
	case f.Kind == "job":
		return "job"
	case f.From.Go != "":
		return "go-static"
	}
	return "c-dynamic"
}

// unions are facets that the file adds to, where it does not replace them.
var unions = []string{"mounts", "process.env"}

// stated takes what the file states in place of the profile's values.
func (c *composer) stated() {
	for _, facet := range harden.Facets() {
		if c.file.Stated.States(facet) && !slices.Contains(unions, facet) {
			c.b.Take(facet, c.file.Stated)
			c.origins.set(facet, "stated")
		}
	}
}

func (c *composer) process(from found) {
	p := &c.b.Process
	p.Executable = order.Exact(from.executable)
	c.origins.set("process.executable", "stated")
	p.Cwd = order.Of(grant.Literal(c.file.Run.Cwd))
	c.origins.set("process.cwd", c.given("run.cwd"))
	if c.file.Has("run.env") || p.Env.IsAny() {
		p.Env = c.file.Stated.Process.Env
		if p.Env.Check() != nil {
			p.Env = order.Of[grant.Env]()
		}
		c.origins.set("process.env", "stated")
	}
	if !slices.ContainsFunc(p.Env.Members(), func(e grant.Env) bool { return strings.HasPrefix(e.String(), "PATH=") }) {
		e := grant.Env(grant.Literal(defaultPath))
		p.Env = p.Env.With(e)
		c.env = append(c.env, defaultPath)
		c.origins.add("process.env", c.defaults(), e.String())
	}
	if from.execStack {
		c.b.Memory.ExecutableStack = "allowed"
		c.origins.set("memoryProtection.executableStack", "stated")
	}
}

// defaults is the origin of what neither the file nor a profile says.
func (c *composer) defaults() string { return "default:" + c.file.Kind }

// given is the origin of a key's value, which has a default.
func (c *composer) given(key string) string {
	if c.file.Has(key) {
		return "stated"
	}
	return c.defaults()
}

func (c *composer) user() {
	if !c.file.Has("run.user") {
		c.b.User.UID, c.b.User.GID = order.Only(int64(c.file.Run.UID)), order.Only(int64(c.file.Run.GID))
		c.origins.set("user.uid", c.defaults())
		c.origins.set("user.gid", c.defaults())
	}
}

func (c *composer) syscalls() error {
	if slices.Equal(c.file.Syscalls, []string{order.Any}) {
		c.b.Syscalls = harden.Unconfined()
		c.origins.set("syscalls", "stated")
		return nil
	}
	if len(c.file.Syscalls) > 0 {
		c.b.Syscalls = c.b.Syscalls.With(harden.SyscallRule{Names: c.file.Syscalls, Action: harden.Allow})
		c.origins.add("syscalls", "stated", c.file.Syscalls...)
	}
	return nil
}

// mounts adds the stated slots and the scratch directories. Scratch that the
// file states replaces the profile's.
func (c *composer) mounts() {
	base := profiles.Base(c.file.Kind).Mounts
	slots := c.b.Mounts.Members()
	if c.file.Has("boundary.files.scratch") {
		slots = slices.DeleteFunc(slots, func(s grant.Slot) bool { return s.Kind == "tmpfs" && !base.Covers(s) })
	}
	if c.file.Immutability == "strict" {
		slots = slices.DeleteFunc(slots, func(s grant.Slot) bool { return s.Kind == "tmpfs" && s.At != "/dev" })
	}
	for _, s := range c.file.Files.Scratch {
		slot := grant.NewSlot(s.At, "tmpfs", "nodev", "noexec", "nosuid")
		if s.SizeMaxBytes > 0 {
			slot.SizeMaxBytes = order.AtMost(s.SizeMaxBytes)
		}
		slots = append(withoutSlot(slots, s.At), slot)
		c.origins.add("mounts", "stated", slot.String())
	}
	for _, s := range c.file.Stated.Mounts.Members() {
		slots = append(withoutSlot(slots, s.At), s)
		c.origins.add("mounts", "stated", s.String())
	}
	c.b.Mounts = order.Of(slots...)
}

// withoutSlot drops the profile's own slot at a place that the file states.
func withoutSlot(slots []grant.Slot, at string) []grant.Slot {
	return slices.DeleteFunc(slots, func(s grant.Slot) bool { return s.At == at })
}

// lowPorts lets a service that is not root listen on the ports below 1024 that
// it states: in a network namespace of its own, the lowest of them begins what
// needs no privilege.
// Source: Linux Documentation/networking/ip-sysctl.rst, ip_unprivileged_port_start.
func (c *composer) lowPorts() {
	if c.b.User.UID.Covers(order.Only(0)) || c.b.Capabilities.Effective.Covers("CAP_NET_BIND_SERVICE") {
		return
	}
	lowest := uint16(1024)
	for _, p := range c.b.Network.Listen.Members() {
		if lo, _, _, err := p.Span(); err == nil {
			lowest = min(lowest, lo)
		}
	}
	const key = "net.ipv4.ip_unprivileged_port_start="
	stated := slices.ContainsFunc(c.b.Sysctls.Members(), func(s grant.Pattern) bool { return strings.HasPrefix(s.String(), key) })
	if lowest == 1024 || stated || c.b.Sysctls.IsAny() {
		return
	}
	s := grant.Literal(fmt.Sprintf("%s%d", key, lowest))
	c.b.Sysctls = c.b.Sysctls.With(s)
	c.origins.add("sysctls", "rule:low-ports", s.String())
}
