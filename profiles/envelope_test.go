package profiles

import (
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/immure-dev/immure/harden"
	"github.com/immure-dev/immure/harden/grant"
	"github.com/immure-dev/immure/harden/order"
)

// drawService is a profile with what a service may add to it.
func drawService(t *rapid.T) harden.Boundary {
	p, err := Get(rapid.SampledFrom(Names()).Draw(t, "profile"))
	if err != nil {
		t.Fatal(err)
	}
	b := p.Boundary
	if rapid.Bool().Draw(t, "one user") {
		id := rapid.Int64Range(1, maxID).Draw(t, "id")
		b.User.UID, b.User.GID = order.Only(id), order.Only(id)
	}
	ports := rapid.SliceOfN(rapid.SampledFrom([]grant.Port{"80/tcp", "8080/tcp", "53/udp", "6379/tcp", "9000-9009/tcp"}), 0, 3)
	b.Network.Listen = b.Network.Listen.With(ports.Draw(t, "listen")...)
	b.Network.Connect = b.Network.Connect.With(rapid.SliceOfN(rapid.SampledFrom([]grant.Endpoint{"10.0.0.0/8:5432/tcp", "db:5432/tcp"}), 0, 2).Draw(t, "connect")...)
	for _, at := range rapid.SliceOfNDistinct(rapid.SampledFrom([]string{"/tmp", "/run", "/data", "/var/lib/redis", "/dev/shm"}), 0, 4, rapid.ID).Draw(t, "scratch") {
		slot := grant.NewSlot(at, rapid.SampledFrom([]string{"tmpfs", "volume", "config", "secret"}).Draw(t, "kind"), "nodev", "noexec", "nosuid")
		slot.SizeMaxBytes = order.AtMost(rapid.Int64Range(1, 1<<40).Draw(t, "size"))
		b.Mounts = b.Mounts.With(slot)
		b.FileRights = b.FileRights.With(grant.PathRight("read "+at), grant.PathRight("write "+at))
	}
	b.Process.Args = grant.LiteralArgs("/usr/bin/service")
	b.Process.Env = b.Process.Env.With(rapid.SliceOfN(rapid.SampledFrom([]grant.Env{"LANG=C", "HELLO_*", "HOSTNAME=x", "PATH=/usr/bin"}), 0, 3).Draw(t, "env")...)
	b.Resources.MemoryMaxBytes = order.AtMost(rapid.Int64Range(0, 1<<40).Draw(t, "memory"))
	if rapid.Bool().Draw(t, "fewer masks") {
		b.MaskedPaths = order.Covering("/proc/kcore")
	}
	if rapid.Bool().Draw(t, "a capability") {
		b.Capabilities.Bounding = b.Capabilities.Bounding.With("CAP_NET_BIND_SERVICE")
	}
	if rapid.Bool().Draw(t, "kill on refusal") {
		b.Syscalls = harden.NewSyscalls([]string{"x86_64"}, harden.KillProcess, b.Syscalls.Rules()...)
	}
	b.Process.OOMScoreAdj = order.Only(rapid.Int64Range(-1000, 1000).Draw(t, "oom"))
	return b
}

func TestServiceIsWithinItsEnvelopes(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		service := drawService(t)
		for name, make := range map[string]func(harden.Boundary) (harden.Boundary, error){
			"restricted": Restricted,
			"strict":     func(b harden.Boundary) (harden.Boundary, error) { return Strict(b) },
		} {
			envelope, err := make(service)
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			if err := (harden.Pair{Envelope: envelope, Service: service}).Check(); err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			// An envelope is no wider for being made twice.
			again, err := make(envelope)
			if err != nil || !again.Within(envelope) {
				t.Fatalf("%s of itself: %v, wider in %v", name, err, again.Over(envelope))
			}
		}
	})
}

// What no restricted request holds, one facet at a time.
func TestRestrictedRefuses(t *testing.T) {
	p, err := Get("go-static")
	if err != nil {
		t.Fatal(err)
	}
	service := p.Boundary
	service.User.UID, service.User.GID = order.Only(65532), order.Only(65532)
	envelope, err := Restricted(service)
	if err != nil {
		t.Fatal(err)
	}
	for facet, widen := range map[string]func(*harden.Boundary){
		"syscalls":                      func(b *harden.Boundary) { b.Syscalls = harden.Unconfined() },
		"capabilities.bounding":         func(b *harden.Boundary) { b.Capabilities.Bounding = b.Capabilities.Bounding.With("CAP_CHOWN") },
		"noNewPrivileges":               func(b *harden.Boundary) { b.NoNewPrivileges = "off" },
		"user.uid":                      func(b *harden.Boundary) { b.User.UID = order.Only(0) },
		"user.gid":                      func(b *harden.Boundary) { b.User.GID = order.Only(0) },
		"user.groups":                   func(b *harden.Boundary) { b.User.Groups = b.User.Groups.With(order.Only(0)) },
		"namespaces.pid":                func(b *harden.Boundary) { b.Namespaces.PID = "pod" },
		"namespaces.mount":              func(b *harden.Boundary) { b.Namespaces.Mount = "joined" },
		"namespaces.network":            func(b *harden.Boundary) { b.Namespaces.Network = "joined" },
		"namespaces.ipc":                func(b *harden.Boundary) { b.Namespaces.IPC = "host" },
		"rootfs":                        func(b *harden.Boundary) { b.Rootfs = "writable" },
		"maskedPaths":                   func(b *harden.Boundary) { b.MaskedPaths = order.Covering() },
		"readonlyPaths":                 func(b *harden.Boundary) { b.ReadonlyPaths = order.Covering("/proc/sys") },
		"devices.access":                func(b *harden.Boundary) { b.Devices.Access = b.Devices.Access.With("b 8:0 r") },
		"devices.nodes":                 func(b *harden.Boundary) { b.Devices.Nodes = b.Devices.Nodes.With("c 10:229 rwm") },
		"propagation":                   func(b *harden.Boundary) { b.Propagation = "shared" },
		"hooks":                         func(b *harden.Boundary) { b.Hooks = b.Hooks.With("prestart /bin/sh") },
		"sysctls":                       func(b *harden.Boundary) { b.Sysctls = b.Sysctls.With("kernel.core_pattern=|/x") },
		"process.env":                   func(b *harden.Boundary) { b.Process.Env = b.Process.Env.With("LD_PRELOAD=/x.so") },
		"process.oomScoreAdj":           func(b *harden.Boundary) { b.Process.OOMScoreAdj = order.Only(-998) },
		"annotations":                   func(b *harden.Boundary) { b.Annotations = b.Annotations.With("run.oci.seccomp_bpf_data") },
		"resources.other":               func(b *harden.Boundary) { b.Resources.Other = b.Resources.Other.With("cpu.realtimeRuntime") },
		"runtime.ociVersion":            func(b *harden.Boundary) { b.Runtime.OCIVersion = "0.9.0" },
		"memoryProtection.writeExecute": func(b *harden.Boundary) { b.Memory.WriteExecute = "allowed" },
		"mounts":                        func(b *harden.Boundary) { b.Mounts = b.Mounts.With(grant.NewSlot("/proc/sys", "tmpfs")) },
	} {
		request := envelope
		widen(&request)
		over := request.Over(envelope)
		if len(over) != 1 || over[0].Facet != facet {
			t.Errorf("%s: a wider request goes beyond in %v", facet, over)
		}
	}
}

func TestRestrictedNamesTheCall(t *testing.T) {
	service := Base("server")
	service.Syscalls = service.Syscalls.With(harden.SyscallRule{Names: []string{"mount"}, Action: harden.Allow})
	if _, err := Restricted(service); err == nil || !strings.Contains(err.Error(), "mount") {
		t.Errorf("a service that mounts: error %v does not say so", err)
	}
	if _, err := Restricted(harden.Boundary{}); err == nil {
		t.Error("an envelope for a service that states nothing")
	}
	if _, err := Strict(harden.Boundary{}); err == nil {
		t.Error("a strict envelope for a service that states nothing")
	}
}

// A service that is more than restricted gets no such envelope, and is told of
// each facet. What the standard admits passes.
func TestRestrictedIsUnprivileged(t *testing.T) {
	bind := grant.NewSlot("/data", "bind", "nodev", "noexec", "nosuid", "ro")
	bind.Source = "/srv/data"
	for facet, widen := range map[string]func(*harden.Boundary){
		"capabilities.ambient":     func(b *harden.Boundary) { b.Capabilities.Ambient = b.Capabilities.Ambient.With("CAP_SYS_ADMIN") },
		"capabilities.bounding":    func(b *harden.Boundary) { b.Capabilities.Bounding = b.Capabilities.Bounding.With("CAP_NET_RAW") },
		"capabilities.effective":   func(b *harden.Boundary) { b.Capabilities.Effective = order.AnySet[grant.Name]() },
		"capabilities.inheritable": func(b *harden.Boundary) { b.Capabilities.Inheritable = order.AnySet[grant.Name]() },
		"capabilities.permitted":   func(b *harden.Boundary) { b.Capabilities.Permitted = b.Capabilities.Permitted.With("CAP_CHOWN") },
		"noNewPrivileges":          func(b *harden.Boundary) { b.NoNewPrivileges = "off" },
		"user.uid":                 func(b *harden.Boundary) { b.User.UID = order.Between(0, 5) },
		"namespaces.ipc":           func(b *harden.Boundary) { b.Namespaces.IPC = "host" },
		"namespaces.mount":         func(b *harden.Boundary) { b.Namespaces.Mount = "host" },
		"namespaces.network":       func(b *harden.Boundary) { b.Namespaces.Network = "host" },
		"namespaces.pid":           func(b *harden.Boundary) { b.Namespaces.PID = "host" },
		"namespaces.uts":           func(b *harden.Boundary) { b.Namespaces.UTS = "host" },
		"rootfs":                   func(b *harden.Boundary) { b.Rootfs = "writable" },
		"mounts":                   func(b *harden.Boundary) { b.Mounts = b.Mounts.With(bind) },
	} {
		service := Base("server")
		widen(&service)
		_, err := Restricted(service)
		group, _, _ := strings.Cut(facet, ".")
		if err == nil || !strings.Contains(err.Error(), "more than a restricted request has: "+group) || !strings.Contains(err.Error(), "envelope: strict") {
			t.Errorf("%s: error %v does not say so", facet, err)
		}
		if _, err := Strict(service); err != nil {
			t.Errorf("%s: strict: %v", facet, err)
		}
	}
	service := Base("server")
	service.Capabilities.Bounding = service.Capabilities.Bounding.With("CAP_NET_BIND_SERVICE")
	if _, err := Restricted(service); err != nil {
		t.Errorf("the capability that the standard admits: %v", err)
	}
}

// Strict adds the floors to the system calls and nothing else.
func TestStrictAddsTheFloorAlone(t *testing.T) {
	service := Base("job")
	rules, _, err := Floor("crun", "1.8.1")
	if err != nil {
		t.Fatal(err)
	}
	one, err := Strict(service, rules)
	if err != nil {
		t.Fatal(err)
	}
	all, err := Strict(service)
	if err != nil {
		t.Fatal(err)
	}
	if !one.Within(all) || all.Within(one) {
		t.Error("one runtime's envelope is not narrower than that of all")
	}
	for _, x := range all.Over(service) {
		if x.Facet != "syscalls" {
			t.Errorf("strict widens %s: %s", x.Facet, x.Got)
		}
	}
	want := []string{"close", "execve", "exit", "exit_group", "restart_syscall", "rt_sigreturn", "write"}
	if got := one.Syscalls.Allowed(); !slices.Equal(got, want) {
		t.Errorf("with crun's floor %q, want %q", got, want)
	}
	arm, err := GetFor("job", "aarch64")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Strict(arm.Boundary); err == nil {
		t.Error("a strict envelope for an architecture without a measured floor")
	}
}

func TestFloor(t *testing.T) {
	for _, name := range Runtimes() {
		runtime, version, _ := strings.Cut(name, " ")
		rules, source, err := Floor(runtime, version+"+ds1")
		if err != nil || source == "" {
			t.Fatalf("floor of %s: %v, source %q", name, err, source)
		}
		calls := harden.NewSyscalls([]string{"x86_64"}, harden.Errno(eperm), rules...).Allowed()
		if !slices.Contains(calls, "execve") {
			t.Errorf("floor of %s does not start anything: %q", name, calls)
		}
	}
	for _, unknown := range [][2]string{{"runc", "1.1.50"}, {"runc", ""}, {"", "1.1.5"}, {"youki", "0.1.0"}} {
		if _, _, err := Floor(unknown[0], unknown[1]); err == nil || !strings.Contains(err.Error(), "runc 1.1.5") {
			t.Errorf("floor of %v: error %v does not list what is known", unknown, err)
		}
	}
}

func TestBase(t *testing.T) {
	for _, kind := range []string{"server", "job"} {
		b := Base(kind)
		if err := b.Check(); err != nil {
			t.Errorf("%s: %v", kind, err)
		}
		if b.User.UID.Covers(order.Only(0)) || b.User.GID.Covers(order.Only(0)) || b.User.UID.Covers(order.Only(maxID+1)) {
			t.Errorf("%s may run as root, or as a user out of bounds", kind)
		}
	}
	for _, facet := range harden.Facets() {
		if b := Base("daemon"); b.States(facet) {
			t.Errorf("an unknown kind states %s", facet)
		}
	}
}
