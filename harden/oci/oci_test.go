package oci

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"

	"github.com/immure-dev/immure/harden"
	"github.com/immure-dev/immure/harden/grant"
	"github.com/immure-dev/immure/harden/order"
)

var update = flag.Bool("update", false, "rewrite the files in testdata")

// hello is the boundary of a small server, every facet stated.
func hello() harden.Boundary {
	none := order.Of[grant.Name]()
	tmp := grant.NewSlot("/tmp", "tmpfs", "nosuid", "nodev", "noexec")
	tmp.SizeMaxBytes = order.AtMost(16 << 20)
	b := harden.Boundary{
		Syscalls: harden.NewSyscalls([]string{"x86_64"}, harden.Errno(1),
			harden.SyscallRule{Names: []string{"read", "write", "exit_group"}, Action: harden.Allow}),
		Capabilities:    harden.Capabilities{Ambient: none, Bounding: none, Effective: none, Inheritable: none, Permitted: none},
		NoNewPrivileges: "on",
		User:            harden.User{UID: order.Only(65532), GID: order.Only(65532), Groups: order.Of[order.Range](), Umask: "0022"},
		UserNamespace:   harden.UserNamespace{Level: "host", UIDs: order.AnySet[order.Range](), GIDs: order.AnySet[order.Range]()},
		Namespaces:      harden.Namespaces{Cgroup: "own", IPC: "own", Mount: "own", Network: "own", PID: "own", Time: "host", UTS: "own"},
		Rootfs:          "readOnly",
		Mounts: order.Of(
			grant.NewSlot("/proc", "proc", "nosuid", "nodev", "noexec"),
			grant.NewSlot("/dev", "tmpfs", "nosuid", "noexec"),
			grant.NewSlot("/dev/pts", "devpts", "nosuid", "noexec"),
			grant.NewSlot("/dev/shm", "tmpfs", "nosuid", "nodev", "noexec"),
			grant.NewSlot("/sys", "sysfs", "nosuid", "nodev", "noexec", "ro"),
			grant.NewSlot("/etc/hello", "config", "nosuid", "nodev", "noexec", "ro"),
			grant.NewSlot("/var/lib/hello", "tmpfs", "nosuid", "nodev", "noexec"),
			tmp,
		),
		Propagation:   "private",
		MaskedPaths:   order.Covering("/proc/kcore", "/sys/firmware"),
		ReadonlyPaths: order.Covering("/proc/sys"),
		Devices:       harden.Devices{Nodes: order.Of[grant.Device](), Access: order.Of[grant.Device]("c 1:3 rwm", "c 136:* rw")},
		AppArmor:      grant.AppArmorUnconfined,
		SELinux:       harden.SELinux{Process: order.None, Mount: order.None},
		FileRights:    order.Of[grant.PathRight]("execute /usr/bin/hello", "read /etc/hello"),
		Exec:          order.Of[grant.Command](),
		Scopes:        harden.Scopes{AbstractSockets: "own", Ptrace: "own", Signals: "own"},
		Memory:        harden.MemoryProtection{ExecutableStack: "forbidden", WriteExecute: "forbidden"},
		Landlock: harden.Landlock{
			Level: "off", Files: order.AnySet[grant.PathRight](), Bind: order.AnySet[grant.Port](), Connect: order.AnySet[grant.Port](),
		},
		Network: harden.Network{Listen: order.Of[grant.Port]("8080/tcp"), Connect: order.Of[grant.Endpoint]()},
		Rlimits: grant.UnlimitedRlimits().
			With("RLIMIT_NOFILE", grant.Rlimit{Soft: order.AtMost(1024), Hard: order.AtMost(4096)}).
			With("RLIMIT_CORE", grant.Rlimit{Soft: order.AtMost(0), Hard: order.AtMost(0)}),
		Resources: harden.Resources{
			MemoryMaxBytes: order.AtMost(64 << 20), SwapMaxBytes: order.AtMost(0), PIDsMax: order.AtMost(64), CPUMaxMillis: order.AtMost(500),
			IOMaxBytesPerSecond: order.Unlimited(), Other: none,
		},
		CgroupsPath:    order.Of(grant.Prefix("/immure/")),
		NetDevices:     none,
		IDMappedMounts: "none",
		Sysctls:        order.Of[grant.Pattern]("net.ipv4.ip_unprivileged_port_start=80"),
		Hooks:          order.Of[grant.Pattern](),
		Process: harden.Process{
			Args: grant.LiteralArgs("/usr/bin/hello", "-listen", ":8080"), Cwd: order.Of[grant.Pattern]("/"), Executable: "/usr/bin/hello",
			Env: order.Of[grant.Env]("PATH=/usr/bin", "HELLO_*"), Descriptors: order.Of[grant.Name]("stdio"), OOMScoreAdj: order.Between(0, 1000),
			Scheduler: order.None, IOPriority: order.None, CPUAffinity: order.None, Personality: order.None, MemoryPolicy: order.None,
			TimeOffsets: order.None, IntelRdt: order.None,
		},
		Annotations: none,
		Runtime:     harden.Runtime{OCIVersion: "1.0.0", Digest: order.Any},
	}
	return b
}

func helloInput() Input {
	return Input{
		ID: "hello-1", Rootfs: "rootfs", Hostname: "hello", Env: []string{"HELLO_NAME=world"},
		Mounts: map[string]string{"/etc/hello": "/srv/hello/config"},
	}
}

// classify knows the one volume of the input above.
func classify(source string) (string, bool) { return "config", source == "/srv/hello/config" }

func mustRender(t interface{ Fatal(...any) }, b harden.Boundary, in Input) []byte {
	data, err := RenderJSON(b, in)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// excesses lists every reason for which a reading is refused, by facet.
func excesses(r harden.Reading, limit harden.Boundary) map[string]string {
	out := make(map[string]string)
	for _, facet := range r.Facets {
		if e, over := r.Boundary.OverIn(facet, limit); over {
			out[facet] = e.String()
		}
	}
	for facet, why := range r.Unread {
		out[facet] = why
	}
	for _, f := range r.Foreign {
		out["foreign"] = f
	}
	return out
}

func TestGolden(t *testing.T) {
	got := mustRender(t, hello(), helloInput())
	file := filepath.Join("testdata", "hello.json")
	if *update {
		if err := os.WriteFile(file, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s differs: got\n%s", file, got)
	}
}

func TestFacets(t *testing.T) {
	all := harden.Facets()
	mine := Facets()
	for _, no := range []string{"fileRights", "exec", "scopes.signals", "landlock.level", "network.listen", "memoryProtection.writeExecute", "process.executable", "runtime.digest"} {
		if slices.Contains(mine, no) || !slices.Contains(all, no) {
			t.Errorf("%s: wrongly expressible, or no facet", no)
		}
	}
	if len(mine) != len(all)-15 {
		t.Errorf("%d of %d facets can be expressed", len(mine), len(all))
	}
}

func TestHelloReadsBack(t *testing.T) {
	r, err := Parse(mustRender(t, hello(), helloInput()), Options{Classify: classify})
	if err != nil {
		t.Fatal(err)
	}
	for facet, why := range excesses(r, hello()) {
		t.Errorf("%s: %s", facet, why)
	}
}

// change parses hello's configuration after one change.
func change(t *testing.T, edit func(*specs.Spec)) harden.Reading {
	t.Helper()
	spec, err := Render(hello(), helloInput())
	if err != nil {
		t.Fatal(err)
	}
	edit(spec)
	data, err := json.Marshal(spec)
	if err != nil {
		t.Fatal(err)
	}
	r, err := Parse(data, Options{Classify: classify})
	if err != nil {
		t.Fatal(err)
	}
	return r
}
