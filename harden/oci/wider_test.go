package oci

import (
	"slices"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"
)

func ptr[T any](v T) *T { return &v }

// mountAt returns hello's mount at a destination.
func mountAt(s *specs.Spec, at string) *specs.Mount {
	for i := range s.Mounts {
		if s.Mounts[i].Destination == at {
			return &s.Mounts[i]
		}
	}
	panic("hello has no mount at " + at)
}

// addMount appends one.
func addMount(at, kind, source string, options ...string) func(*specs.Spec) {
	return func(s *specs.Spec) {
		s.Mounts = append(s.Mounts, specs.Mount{Destination: at, Type: kind, Source: source, Options: options})
	}
}

// dropNamespace removes the entry of a kind.
func dropNamespace(kind specs.LinuxNamespaceType) func(*specs.Spec) {
	return func(s *specs.Spec) {
		var kept []specs.LinuxNamespace
		for _, n := range s.Linux.Namespaces {
			if n.Type != kind {
				kept = append(kept, n)
			}
		}
		s.Linux.Namespaces = kept
	}
}

// TestWider changes one member of a right configuration at a time, each to
// something wider. The reading must refuse, and name the facet.
func TestWider(t *testing.T) {
	net := []string{"CAP_NET_ADMIN"}
	for _, c := range []struct {
		name, facet string
		edit        func(*specs.Spec)
	}{
		{"no seccomp", "syscalls", func(s *specs.Spec) { s.Linux.Seccomp = nil }},
		{"seccomp allows", "syscalls", func(s *specs.Spec) { s.Linux.Seccomp.DefaultAction = specs.ActAllow }},
		{"seccomp logs", "syscalls", func(s *specs.Spec) {
			s.Linux.Seccomp.DefaultAction, s.Linux.Seccomp.DefaultErrnoRet = specs.ActLog, nil
		}},
		{"seccomp fakes", "syscalls", func(s *specs.Spec) { s.Linux.Seccomp.DefaultErrnoRet = ptr(uint(0)) }},
		{"one call more", "syscalls", func(s *specs.Spec) {
			s.Linux.Seccomp.Syscalls = append(s.Linux.Seccomp.Syscalls, specs.LinuxSyscall{Names: []string{"bpf"}, Action: specs.ActAllow})
		}},
		{"one architecture more", "syscalls", func(s *specs.Spec) {
			s.Linux.Seccomp.Architectures = append(s.Linux.Seccomp.Architectures, specs.ArchX86)
		}},
		{"a listener", "syscalls", func(s *specs.Spec) { s.Linux.Seccomp.ListenerPath = "/run/listener" }},
		{"a flag", "syscalls", func(s *specs.Spec) { s.Linux.Seccomp.Flags = []specs.LinuxSeccompFlag{specs.LinuxSeccompFlagSpecAllow} }},
		{"ambient", "capabilities.ambient", func(s *specs.Spec) { s.Process.Capabilities.Ambient = net }},
		{"bounding", "capabilities.bounding", func(s *specs.Spec) { s.Process.Capabilities.Bounding = net }},
		{"effective", "capabilities.effective", func(s *specs.Spec) { s.Process.Capabilities.Effective = net }},
		{"inheritable", "capabilities.inheritable", func(s *specs.Spec) { s.Process.Capabilities.Inheritable = net }},
		{"permitted", "capabilities.permitted", func(s *specs.Spec) { s.Process.Capabilities.Permitted = net }},
		{"no capabilities section", "capabilities.effective", func(s *specs.Spec) { s.Process.Capabilities = nil }},
		{"new privileges", "noNewPrivileges", func(s *specs.Spec) { s.Process.NoNewPrivileges = false }},
		{"root", "user.uid", func(s *specs.Spec) { s.Process.User.UID = 0 }},
		{"too large a user", "user.uid", func(s *specs.Spec) { s.Process.User.UID = 1 << 31 }},
		{"group root", "user.gid", func(s *specs.Spec) { s.Process.User.GID = 0 }},
		{"a group more", "user.groups", func(s *specs.Spec) { s.Process.User.AdditionalGids = []uint32{0} }},
		{"umask", "user.umask", func(s *specs.Spec) { s.Process.User.Umask = ptr(uint32(0)) }},
		{"user namespace mappings alone", "userNamespace.level", func(s *specs.Spec) { s.Linux.UIDMappings = []specs.LinuxIDMapping{{Size: 1}} }},
		{"cgroup namespace", "namespaces.cgroup", dropNamespace(specs.CgroupNamespace)},
		{"ipc namespace", "namespaces.ipc", dropNamespace(specs.IPCNamespace)},
		{"mount namespace", "namespaces.mount", dropNamespace(specs.MountNamespace)},
		{"network namespace", "namespaces.network", dropNamespace(specs.NetworkNamespace)},
		{"pid namespace", "namespaces.pid", dropNamespace(specs.PIDNamespace)},
		{"uts namespace", "namespaces.uts", dropNamespace(specs.UTSNamespace)},
		{"joined network", "namespaces.network", func(s *specs.Spec) {
			dropNamespace(specs.NetworkNamespace)(s)
			s.Linux.Namespaces = append(s.Linux.Namespaces, specs.LinuxNamespace{Type: specs.NetworkNamespace, Path: "/proc/1/ns/net"})
		}},
		{"a namespace twice", "foreign", func(s *specs.Spec) {
			s.Linux.Namespaces = append(s.Linux.Namespaces, specs.LinuxNamespace{Type: specs.PIDNamespace, Path: "/proc/1/ns/pid"})
		}},
		{"writable root", "rootfs", func(s *specs.Spec) { s.Root.Readonly = false }},
		{"host path", "mounts", addMount("/data", "bind", "/", "bind", "ro")},
		{"bind option alone", "mounts", addMount("/data", "tmpfs", "/", "rbind", "ro")},
		{"relative source", "mounts", addMount("/data", "bind", "../..", "bind")},
		{"tmpfs over proc", "mounts", addMount("/proc/sys", "tmpfs", "tmpfs")},
		{"proc elsewhere", "mounts", addMount("/p", "proc", "proc", "nosuid", "nodev", "noexec")},
		{"disk", "mounts", addMount("/data", "ext4", "/dev/sda1")},
		{"overlay", "mounts", addMount("/tmp", "overlay", "overlay", "lowerdir=/")},
		{"over the root", "foreign", addMount("/", "tmpfs", "tmpfs")},
		{"over the seal", "foreign", addMount("/.immure", "tmpfs", "tmpfs")},
		{"into the seal", "foreign", addMount("/.immure/seal.json", "bind", "/tmp/forged", "bind")},
		{"into the seal on a detour", "mounts", addMount("/x/../.immure/seal.json", "bind", "/tmp/forged", "bind")},
		{"over the program", "foreign", addMount("/usr", "tmpfs", "tmpfs")},
		{"writable config", "mounts", func(s *specs.Spec) { mountAt(s, "/etc/hello").Options = []string{"bind", "nosuid", "nodev", "noexec"} }},
		{"rw last", "mounts", func(s *specs.Spec) {
			m := mountAt(s, "/etc/hello")
			m.Options = append(m.Options, "rw")
		}},
		{"rrw decides", "mounts", func(s *specs.Spec) {
			m := mountAt(s, "/etc/hello")
			m.Options = append([]string{"rrw"}, m.Options...)
		}},
		{"executable scratch", "mounts", func(s *specs.Spec) {
			m := mountAt(s, "/tmp")
			m.Options = append(m.Options, "exec")
		}},
		{"large scratch", "mounts", func(s *specs.Spec) {
			m := mountAt(s, "/tmp")
			m.Options = append(m.Options, "size=50%")
		}},
		{"endless scratch", "mounts", func(s *specs.Spec) { mountAt(s, "/tmp").Options = []string{"nosuid", "nodev", "noexec", "size=0"} }},
		{"scratch in blocks", "mounts", func(s *specs.Spec) {
			m := mountAt(s, "/tmp")
			m.Options = append(m.Options, "nr_blocks=100000000")
		}},
		{"endless inodes", "mounts", func(s *specs.Spec) {
			m := mountAt(s, "/tmp")
			m.Options = append(m.Options, "nr_inodes=0")
		}},
		{"size again", "mounts", func(s *specs.Spec) {
			m := mountAt(s, "/tmp")
			m.Options = append([]string{"size=50%"}, m.Options...)
		}},
		{"recursive flags on tmpfs", "mounts", func(s *specs.Spec) {
			mountAt(s, "/tmp").Options = []string{"rnosuid", "rnodev", "rnoexec", "size=16777216"}
		}},
		{"recursive flags on proc", "mounts", func(s *specs.Spec) { mountAt(s, "/proc").Options = []string{"rnosuid", "rnodev", "rnoexec"} }},
		{"recursive flags on devpts", "mounts", func(s *specs.Spec) { mountAt(s, "/dev/pts").Options = []string{"rnosuid", "rnoexec"} }},
		{"recursive flags on sysfs", "mounts", func(s *specs.Spec) {
			mountAt(s, "/sys").Options = []string{"rro", "rnosuid", "rnodev", "rnoexec"}
		}},
		{"a recursive time on tmpfs", "mounts", func(s *specs.Spec) {
			m := mountAt(s, "/tmp")
			m.Options = append(m.Options, "rnoatime")
		}},
		{"destination climbs", "mounts", func(s *specs.Spec) { mountAt(s, "/tmp").Destination = "/lnk/../tmp" }},
		{"destination with a slash more", "mounts", func(s *specs.Spec) { mountAt(s, "/tmp").Destination = "/tmp/" }},
		{"destination with two slashes", "mounts", func(s *specs.Spec) { mountAt(s, "/tmp").Destination = "//tmp" }},
		{"relative destination", "mounts", func(s *specs.Spec) { mountAt(s, "/tmp").Destination = "tmp" }},
		{"bind under a root that is private alone", "mounts", func(s *specs.Spec) {
			s.Linux.RootfsPropagation = "private"
			mountAt(s, "/etc/hello").Options = []string{"bind", "nosuid", "nodev", "noexec", "ro"}
		}},
		{"bind under a root that is unbindable alone", "mounts", func(s *specs.Spec) {
			s.Linux.RootfsPropagation = "unbindable"
			mountAt(s, "/etc/hello").Options = []string{"bind", "nosuid", "nodev", "noexec", "ro"}
		}},
		{"a tree made private at its top", "mounts", func(s *specs.Spec) {
			s.Linux.RootfsPropagation = "private"
			mountAt(s, "/etc/hello").Options = []string{"rbind", "private", "nosuid", "nodev", "noexec", "ro"}
		}},
		{"shared mount", "mounts", func(s *specs.Spec) {
			m := mountAt(s, "/etc/hello")
			m.Options = append(m.Options, "rshared", "rprivate")
		}},
		{"remount", "mounts", func(s *specs.Spec) {
			m := mountAt(s, "/proc")
			m.Options = append(m.Options, "remount")
		}},
		{"id-mapped mount", "idMappedMounts", func(s *specs.Spec) {
			m := mountAt(s, "/etc/hello")
			m.Options = append(m.Options, "idmap")
		}},
		{"id-mapped mount by mappings", "idMappedMounts", func(s *specs.Spec) {
			mountAt(s, "/etc/hello").UIDMappings = []specs.LinuxIDMapping{{Size: 1}}
		}},
		{"no propagation", "propagation", func(s *specs.Spec) { s.Linux.RootfsPropagation = "" }},
		{"shared root", "propagation", func(s *specs.Spec) { s.Linux.RootfsPropagation = "rshared" }},
		{"nothing masked", "maskedPaths", func(s *specs.Spec) { s.Linux.MaskedPaths = nil }},
		{"one mask less", "maskedPaths", func(s *specs.Spec) { s.Linux.MaskedPaths = s.Linux.MaskedPaths[1:] }},
		{"root masked", "maskedPaths", func(s *specs.Spec) { s.Linux.MaskedPaths = append(s.Linux.MaskedPaths, "/") }},
		{"devices masked", "maskedPaths", func(s *specs.Spec) { s.Linux.MaskedPaths = append(s.Linux.MaskedPaths, "/dev") }},
		{"proc masked", "maskedPaths", func(s *specs.Spec) { s.Linux.MaskedPaths = append(s.Linux.MaskedPaths, "/proc") }},
		{"a relative mask", "maskedPaths", func(s *specs.Spec) { s.Linux.MaskedPaths = append(s.Linux.MaskedPaths, "proc/kcore") }},
		{"a mask that climbs", "maskedPaths", func(s *specs.Spec) { s.Linux.MaskedPaths = append(s.Linux.MaskedPaths, "/proc/../sys") }},
		{"root read-only", "readonlyPaths", func(s *specs.Spec) { s.Linux.ReadonlyPaths = append(s.Linux.ReadonlyPaths, "/") }},
		{"nothing read-only", "readonlyPaths", func(s *specs.Spec) { s.Linux.ReadonlyPaths = nil }},
		{"a device node", "devices.nodes", func(s *specs.Spec) {
			s.Linux.Devices = []specs.LinuxDevice{{Path: "/dev/sda", Type: "b", Major: 8}}
		}},
		{"a node in the way", "devices.nodes", func(s *specs.Spec) {
			s.Linux.Devices = []specs.LinuxDevice{{Path: "/usr/bin/hello", Type: "c", Major: 1, Minor: 3}}
		}},
		{"every device", "devices.access", func(s *specs.Spec) { s.Linux.Resources.Devices = nil }},
		{"a device more", "devices.access", func(s *specs.Spec) {
			s.Linux.Resources.Devices = append(s.Linux.Resources.Devices, specs.LinuxDeviceCgroup{Allow: true, Type: "b", Major: ptr(int64(8)), Access: "r"})
		}},
		{"type a with numbers", "devices.access", func(s *specs.Spec) {
			s.Linux.Resources.Devices = append(s.Linux.Resources.Devices, specs.LinuxDeviceCgroup{Allow: true, Type: "a", Major: ptr(int64(1)), Minor: ptr(int64(3)), Access: "r"})
		}},
		{"a denial of less", "devices.access", func(s *specs.Spec) { s.Linux.Resources.Devices[0].Access = "rw" }},
		{"SELinux process", "selinux.process", func(s *specs.Spec) { s.Process.SelinuxLabel = "system_u:system_r:unconfined_t:s0" }},
		{"SELinux mount", "selinux.mount", func(s *specs.Spec) { s.Linux.MountLabel = "x" }},
		{"rlimit gone", "rlimits", func(s *specs.Spec) { s.Process.Rlimits = s.Process.Rlimits[:1] }},
		{"rlimit higher", "rlimits", func(s *specs.Spec) { s.Process.Rlimits[1].Hard = 1 << 62 }},
		{"rlimit twice", "rlimits", func(s *specs.Spec) { s.Process.Rlimits = append(s.Process.Rlimits, s.Process.Rlimits[0]) }},
		{"no memory limit", "resources.memoryMaxBytes", func(s *specs.Spec) { s.Linux.Resources.Memory = nil }},
		{"more memory", "resources.memoryMaxBytes", func(s *specs.Spec) { s.Linux.Resources.Memory.Limit = ptr(int64(1 << 40)) }},
		{"memory -1", "resources.memoryMaxBytes", func(s *specs.Spec) { s.Linux.Resources.Memory.Limit = ptr(int64(-1)) }},
		{"swap", "resources.swapMaxBytes", func(s *specs.Spec) { s.Linux.Resources.Memory.Swap = nil }},
		{"a little swap", "resources.swapMaxBytes", func(s *specs.Spec) { s.Linux.Resources.Memory.Swap = ptr(int64(64<<20 + 1)) }},
		{"pids", "resources.pidsMax", func(s *specs.Spec) { s.Linux.Resources.Pids.Limit = ptr(int64(0)) }},
		{"cpu", "resources.cpuMaxMillis", func(s *specs.Spec) { s.Linux.Resources.CPU.Period = ptr(uint64(50_000)) }},
		{"unified memory", "resources.memoryMaxBytes", func(s *specs.Spec) { s.Linux.Resources.Unified = map[string]string{"memory.max": "max"} }},
		{"unified other", "resources.other", func(s *specs.Spec) { s.Linux.Resources.Unified = map[string]string{"memory.low": "1"} }},
		{"hugepages", "resources.other", func(s *specs.Spec) { s.Linux.Resources.HugepageLimits = make([]specs.LinuxHugepageLimit, 1) }},
		{"no OOM killer", "resources.other", func(s *specs.Spec) { s.Linux.Resources.Memory.DisableOOMKiller = ptr(true) }},
		{"real time", "resources.other", func(s *specs.Spec) { s.Linux.Resources.CPU.RealtimeRuntime = ptr(int64(1)) }},
		{"cgroup elsewhere", "cgroupsPath", func(s *specs.Spec) { s.Linux.CgroupsPath = "/system.slice" }},
		{"cgroup climbs", "cgroupsPath", func(s *specs.Spec) { s.Linux.CgroupsPath = "/immure/../x" }},
		{"no cgroup", "cgroupsPath", func(s *specs.Spec) { s.Linux.CgroupsPath = "" }},
		{"network device", "netDevices", func(s *specs.Spec) { s.Linux.NetDevices = map[string]specs.LinuxNetDevice{"eth0": {}} }},
		{"sysctl", "sysctls", func(s *specs.Spec) { s.Linux.Sysctl["kernel.shm_rmid_forced"] = "1" }},
		{"hook", "hooks", func(s *specs.Spec) { s.Hooks = &specs.Hooks{Poststop: []specs.Hook{{Path: "/bin/true"}}} }},
		{"arguments", "process.args", func(s *specs.Spec) { s.Process.Args[2] = ":80" }},
		{"no arguments", "process.args", func(s *specs.Spec) { s.Process.Args = nil }},
		{"cwd elsewhere", "process.cwd", func(s *specs.Spec) { s.Process.Cwd = "/tmp" }},
		{"cwd in a descriptor", "process.cwd", func(s *specs.Spec) { s.Process.Cwd = "/proc/self/fd/7" }},
		{"environment", "process.env", func(s *specs.Spec) { s.Process.Env = append(s.Process.Env, "X=1") }},
		{"loader", "process.env", func(s *specs.Spec) { s.Process.Env = append(s.Process.Env, "LD_PRELOAD=/tmp/x.so") }},
		{"terminal", "process.descriptors", func(s *specs.Spec) { s.Process.Terminal = true }},
		{"no score", "process.oomScoreAdj", func(s *specs.Spec) { s.Process.OOMScoreAdj = nil }},
		{"score", "process.oomScoreAdj", func(s *specs.Spec) { s.Process.OOMScoreAdj = ptr(-999) }},
		{"scheduler", "process.scheduler", func(s *specs.Spec) { s.Process.Scheduler = &specs.Scheduler{Policy: specs.SchedFIFO} }},
		{"io priority", "process.ioPriority", func(s *specs.Spec) { s.Process.IOPriority = &specs.LinuxIOPriority{Class: specs.IOPRIO_CLASS_RT} }},
		{"affinity", "process.cpuAffinity", func(s *specs.Spec) { s.Process.ExecCPUAffinity = &specs.CPUAffinity{Initial: "0"} }},
		{"personality", "process.personality", func(s *specs.Spec) { s.Linux.Personality = &specs.LinuxPersonality{Domain: specs.PerLinux32} }},
		{"memory policy", "process.memoryPolicy", func(s *specs.Spec) { s.Linux.MemoryPolicy = &specs.LinuxMemoryPolicy{Mode: specs.MpolBind} }},
		{"time offsets", "process.timeOffsets", func(s *specs.Spec) {
			s.Linux.TimeOffsets = map[string]specs.LinuxTimeOffset{"boottime": {Secs: 1}}
		}},
		{"intel rdt", "process.intelRdt", func(s *specs.Spec) { s.Linux.IntelRdt = new(specs.LinuxIntelRdt) }},
		{"raw filter", "annotations", func(s *specs.Spec) { s.Annotations = map[string]string{"run.oci.seccomp_bpf_data": "AAAA"} }},
		{"systemd property", "annotations", func(s *specs.Spec) { s.Annotations = map[string]string{"org.systemd.property.DeviceAllow": "x"} }},
		{"old version", "runtime.ociVersion", func(s *specs.Spec) { s.Version = "0.9.0" }},
		{"no version", "runtime.ociVersion", func(s *specs.Spec) { s.Version = "latest" }},
		{"virtual machine", "foreign", func(s *specs.Spec) { s.VM = new(specs.VM) }},
		{"windows", "foreign", func(s *specs.Spec) { s.Windows = new(specs.Windows) }},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := excesses(change(t, c.edit), hello())
			if got[c.facet] == "" {
				t.Errorf("%s does not refuse; what does: %v", c.facet, got)
			}
		})
	}
}

// TestAppArmorAbsent reads a missing profile as unconfined.
func TestAppArmorAbsent(t *testing.T) {
	limit := hello()
	limit.AppArmor = "enforce immure-hello"
	in := helloInput()
	spec, err := Render(limit, in)
	if err != nil || spec.Process.ApparmorProfile != "immure-hello" {
		t.Fatalf("profile %q, error %v", spec.Process.ApparmorProfile, err)
	}
	for _, name := range []string{"", "unconfined", "other"} {
		r := change(t, func(s *specs.Spec) { s.Process.ApparmorProfile = name })
		if _, over := r.Boundary.OverIn("apparmor", limit); !over {
			t.Errorf("profile %q passes for immure-hello", name)
		}
	}
}

// TestNoWider changes members without permitting more.
func TestNoWider(t *testing.T) {
	for name, edit := range map[string]func(*specs.Spec){
		"annotation": func(s *specs.Spec) {
			s.Annotations = map[string]string{"io.kubernetes.cri.container-type": "container"}
		},
		"own group": func(s *specs.Spec) { s.Process.User.AdditionalGids = []uint32{65532} },
		"default node": func(s *specs.Spec) {
			s.Linux.Devices = []specs.LinuxDevice{{Path: "/dev/null", Type: "c", Major: 1, Minor: 3}}
		},
		"less memory": func(s *specs.Spec) {
			s.Linux.Resources.Memory.Limit, s.Linux.Resources.Memory.Swap = ptr(int64(1)), ptr(int64(1))
		},
		"masked parent": func(s *specs.Spec) {
			s.Linux.MaskedPaths = []string{"/proc/kcore", "/sys", "/proc/sys"}
			s.Linux.ReadonlyPaths = nil
		},
		"pre-release":  func(s *specs.Spec) { s.Version = "1.0.2-dev" },
		"fewer mounts": func(s *specs.Spec) { s.Mounts = s.Mounts[:1] },
		"read-only tmp": func(s *specs.Spec) {
			m := mountAt(s, "/tmp")
			m.Options = append(m.Options, "ro", "rprivate", "relatime")
		},
		"recursive flags on a bind": func(s *specs.Spec) {
			mountAt(s, "/etc/hello").Options = []string{"rbind", "rprivate", "rnosuid", "rnodev", "rnoexec", "rro"}
		},
		"private root and bind": func(s *specs.Spec) {
			s.Linux.RootfsPropagation = "private"
			mountAt(s, "/etc/hello").Options = []string{"bind", "private", "nosuid", "nodev", "noexec", "ro"}
		},
	} {
		if got := excesses(change(t, edit), hello()); len(got) > 0 {
			t.Errorf("%s: %v", name, got)
		}
	}
}

// TestPropagation reads what a mount is after the root's propagation, those of
// the mounts that it lies on, and its own.
func TestPropagation(t *testing.T) {
	for _, c := range []struct {
		root    string
		options []string // of a bind mount
		bind    string   // its propagation
		beneath string   // that of a tmpfs on it
	}{
		{"rprivate", []string{"bind"}, "private", "private"},
		{"runbindable", []string{"bind"}, "private", "private"},
		{"rslave", []string{"bind"}, "slave", "private"},
		{"", []string{"rbind"}, "slave", "private"},
		{"private", []string{"bind"}, "shared", "shared"},
		{"slave", []string{"bind"}, "shared", "shared"},
		{"unbindable", []string{"bind"}, "shared", "shared"},
		{"rshared", []string{"bind"}, "shared", "shared"},
		{"private", []string{"bind", "private"}, "private", "private"},
		{"private", []string{"rbind", "private"}, "shared", "shared"},
		{"private", []string{"rbind", "rprivate"}, "private", "private"},
		{"rprivate", []string{"rbind", "private"}, "private", "private"},
		{"rslave", []string{"rbind", "private"}, "slave", "private"},
		{"rprivate", []string{"bind", "rshared"}, "shared", "shared"},
	} {
		r := change(t, func(s *specs.Spec) {
			s.Linux.RootfsPropagation = c.root
			addMount("/a", "bind", "/srv", c.options...)(s)
			addMount("/a/b", "tmpfs", "tmpfs")(s)
		})
		got := make(map[string]string)
		for _, slot := range r.Boundary.Mounts.Members() {
			got[slot.At] = string(slot.Propagation)
		}
		if got["/a"] != c.bind || got["/a/b"] != c.beneath {
			t.Errorf("root %q, bind %q: got %s and %s, want %s and %s", c.root, c.options, got["/a"], got["/a/b"], c.bind, c.beneath)
		}
	}
}

// TestSameBytes reads a document with several faults and wants one outcome.
func TestSameBytes(t *testing.T) {
	in := []byte(least + `,"windows":{"layerFolders":["a"]},"vm":{"kernel":{"path":"/x"}},"solaris":{},"zos":{},"freebsd":{},` +
		`"linux":{"resources":{"unified":{"memory.max":"x","pids.max":"y","cpu.max":"z","memory.swap.max":"w"}}}}`)
	first := outcome(t, in)
	for range 20 {
		r, err := Parse(in, Options{})
		if err != nil {
			t.Fatal(err)
		}
		if want := []string{"section freebsd", "section solaris", "section vm", "section windows", "section zos"}; !slices.Equal(r.Foreign, want) {
			t.Fatalf("foreign are %q", r.Foreign)
		}
		if again := outcome(t, in); again != first {
			t.Fatalf("read as\n%s\nand as\n%s", first, again)
		}
	}
}
