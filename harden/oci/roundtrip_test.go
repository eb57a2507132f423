package oci

import (
	"testing"

	"pgregory.net/rapid"

	"github.com/immure-dev/immure/harden"
	"github.com/immure-dev/immure/harden/grant"
	"github.com/immure-dev/immure/harden/order"
)

func draw[T any](t *rapid.T, name string, from ...T) T { return rapid.SampledFrom(from).Draw(t, name) }

func drawSet[E order.Element[E]](t *rapid.T, name string, most int, from ...E) order.Set[E] {
	return order.Of(rapid.SliceOfN(rapid.SampledFrom(from), 0, most).Draw(t, name)...)
}

func drawLimit(t *rapid.T, name string, least int64) order.Limit {
	if rapid.Bool().Draw(t, name+" any") {
		return order.Unlimited()
	}
	return order.AtMost(rapid.Int64Range(least, 1<<40).Draw(t, name))
}

// drawBoundary draws over the facets that a configuration expresses, and input
// that makes each choice which the boundary leaves open.
func drawBoundary(t *rapid.T) (harden.Boundary, Input) {
	b, in := hello(), helloInput()
	caps := func(name string) order.Set[grant.Name] {
		return drawSet[grant.Name](t, name, 3, "CAP_NET_BIND_SERVICE", "CAP_CHOWN", "CAP_SYS_ADMIN")
	}
	b.Capabilities = harden.Capabilities{Ambient: caps("amb"), Bounding: caps("bnd"), Effective: caps("eff"), Inheritable: caps("inh"), Permitted: caps("prm")}
	b.NoNewPrivileges = draw[order.Level](t, "nnp", "on", "off")
	b.User.UID = draw(t, "uid", order.Only(0), order.Only(65532), order.Between(1, 1<<31-1))
	if _, one := b.User.UID.One(); !one {
		in.UID = ptr(uint32(rapid.IntRange(1, 1<<31-1).Draw(t, "chosen uid")))
	}
	b.User.Groups = drawSet(t, "groups", 2, order.Only(5), order.Between(10, 20))
	b.User.Umask = draw[grant.Umask](t, "umask", "0000", "0022", "0077")
	if rapid.Bool().Draw(t, "userns") {
		b.UserNamespace = harden.UserNamespace{
			Level: "own", UIDs: order.Of(order.Between(100000, 165535)), GIDs: order.Of(order.Only(7), order.Between(100000, 165535)),
		}
	}
	n := &b.Namespaces
	for _, level := range []*order.Level{&n.Cgroup, &n.IPC, &n.Mount, &n.Network, &n.PID, &n.Time, &n.UTS} {
		*level = draw[order.Level](t, "namespace", "own", "pod", "joined", "host")
	}
	if b.Namespaces.UTS == "host" {
		in.Hostname = ""
	}
	b.Rootfs = draw[order.Level](t, "rootfs", "readOnly", "writable")
	b.Mounts, in.Mounts = drawMounts(t)
	b.Propagation = draw[order.Level](t, "propagation", "private", "slave", "shared")
	b.MaskedPaths = order.Covering(rapid.SliceOf(rapid.SampledFrom([]string{"/proc/kcore", "/sys", "/sys/firmware"})).Draw(t, "masked")...)
	b.ReadonlyPaths = order.Covering(rapid.SliceOf(rapid.SampledFrom([]string{"/proc/sys", "/sys"})).Draw(t, "readonly")...)
	b.Devices.Access = drawSet[grant.Device](t, "devices", 3, "c 1:3 rwm", "c 136:* rw", "b *:* m", "a *:* rwm")
	if rapid.Bool().Draw(t, "any device") {
		b.Devices.Access = order.AnySet[grant.Device]()
	}
	b.AppArmor = draw[grant.AppArmor](t, "apparmor", grant.AppArmorUnconfined, "enforce immure-hello")
	b.SELinux.Process = draw(t, "selinux", order.None, order.Any, "system_u:system_r:container_t:s0")
	for _, name := range grant.RlimitNames {
		b.Rlimits = b.Rlimits.With(name, grant.Rlimit{Hard: drawLimit(t, name, 0), Soft: drawLimit(t, name, 0)})
	}
	b.Resources.PIDsMax = drawLimit(t, "pids", 1)
	b.Resources.CPUMaxMillis = drawLimit(t, "cpu", 10)
	if n, ok := b.Resources.CPUMaxMillis.Value(); ok && n > 1<<32 {
		b.Resources.CPUMaxMillis = order.AtMost(n % 1_000_000_000)
		if n%1_000_000_000 < 10 {
			b.Resources.CPUMaxMillis = order.AtMost(10)
		}
	}
	b.Resources.MemoryMaxBytes = drawLimit(t, "memory", 1)
	b.Resources.SwapMaxBytes = order.Unlimited()
	if _, bounded := b.Resources.MemoryMaxBytes.Value(); bounded {
		b.Resources.SwapMaxBytes = drawLimit(t, "swap", 0)
	}
	b.CgroupsPath = draw(t, "cgroup", order.AnySet[grant.Pattern](), order.Of(grant.Prefix("/immure/")), order.Of[grant.Pattern]("/a/b"))
	b.Process.Env = draw(t, "env", order.Of[grant.Env]("*"), order.Of[grant.Env]("HELLO_*"), order.Of[grant.Env]("PATH=/usr/bin", "HELLO_*", "HELLO_NAME=x"))
	b.Process.OOMScoreAdj = draw(t, "oom", order.Only(-5), order.Between(100, 1000), order.Between(-1000, -1), order.AnyRange())
	b.Process.Descriptors = draw(t, "descriptors", order.AnySet[grant.Name](), order.Of[grant.Name]("stdio", "terminal"))
	in.Terminal = rapid.Bool().Draw(t, "terminal")
	b.Process.Personality = draw(t, "personality", order.None, order.Any, `{"domain":"LINUX32"}`)
	b.Process.Scheduler = draw(t, "scheduler", order.None, order.Any, `{"policy":"SCHED_BATCH"}`)
	b.Process.TimeOffsets = draw(t, "offsets", order.None, `{"boottime":{"secs":5}}`)
	b.Runtime.OCIVersion = draw[order.Version](t, "version", "any", "1.0.0", "1.0.2", "1.2.1")
	return b, in
}

func drawMounts(t *rapid.T) (order.Set[grant.Slot], map[string]string) {
	sources := make(map[string]string)
	var slots []grant.Slot
	for _, place := range [][]string{
		{"/proc", "proc"},
		{"/dev", "tmpfs"},
		{"/dev/pts", "devpts"},
		{"/dev/mqueue", "mqueue"},
		{"/sys", "sysfs"},
		{"/sys/fs/cgroup", "cgroup"},
		{"/tmp", "tmpfs"},
		{"/data", "tmpfs", "bind", "config"},
	} {
		at, kinds := place[0], place[1:]
		if !rapid.Bool().Draw(t, "mounted") {
			continue
		}
		s := grant.NewSlot(at, draw(t, "kind", kinds...), rapid.SliceOfDistinct(rapid.SampledFrom([]string{"nosuid", "nodev", "noexec", "ro"}), rapid.ID).Draw(t, "flags")...)
		s.Propagation = draw[order.Level](t, "mount propagation", "private", "slave", "shared")
		switch s.Kind {
		case "tmpfs":
			s.SizeMaxBytes = drawLimit(t, "size", 1)
		case "bind":
			s.Source = "/srv/data"
		case "config":
			sources[at] = "/srv/hello/config"
		}
		slots = append(slots, s)
	}
	return order.Of(slots...), sources
}

// TestRoundTrip renders and reads back: whatever the boundary, what is asked
// for is within it, and nothing is left unread.
func TestRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		b, in := drawBoundary(t)
		r, err := Parse(mustRender(t, b, in), Options{Classify: classify})
		if err != nil {
			t.Fatal(err)
		}
		for facet, why := range excesses(r, b) {
			t.Errorf("%s: %s", facet, why)
		}
	})
}

// TestExactly wants the facets that no choice is made for to come back as they
// were, not only tighter.
func TestExactly(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		b, in := drawBoundary(t)
		r, err := Parse(mustRender(t, b, in), Options{Classify: classify})
		if err != nil {
			t.Fatal(err)
		}
		for _, facet := range []string{
			"syscalls", "capabilities.ambient", "capabilities.bounding", "capabilities.effective", "capabilities.inheritable",
			"capabilities.permitted", "noNewPrivileges", "user.umask", "userNamespace.level", "userNamespace.uids",
			"userNamespace.gids", "rootfs", "propagation", "maskedPaths", "devices.access", "apparmor",
			"resources.memoryMaxBytes", "resources.swapMaxBytes", "resources.pidsMax", "resources.cpuMaxMillis",
		} {
			if e, narrower := b.OverIn(facet, r.Boundary); narrower {
				t.Errorf("read back tighter: %s", e)
			}
		}
	})
}
