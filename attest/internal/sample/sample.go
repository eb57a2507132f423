// Package sample holds a small, complete predicate for the tests of attest.
package sample

import (
	"github.com/immure-dev/immure/attest"
	"github.com/immure-dev/immure/attest/keys"
	"github.com/immure-dev/immure/harden"
	"github.com/immure-dev/immure/harden/grant"
	"github.com/immure-dev/immure/harden/order"
)

// Boundary states every facet.
func Boundary() harden.Boundary {
	none, own := order.None, order.Level("own")
	names := order.Of[grant.Name]()
	patterns := order.Of[grant.Pattern]()
	return harden.Boundary{
		Syscalls:        harden.NewSyscalls([]string{"x86_64"}, harden.Errno(1), harden.SyscallRule{Names: []string{"exit", "read", "write"}, Action: harden.Allow}),
		Capabilities:    harden.Capabilities{Ambient: names, Bounding: names, Effective: names, Inheritable: names, Permitted: names},
		NoNewPrivileges: "on",
		User:            harden.User{UID: order.Only(65532), GID: order.Only(65532), Groups: order.Of[order.Range](), Umask: "0022"},
		UserNamespace:   harden.UserNamespace{Level: "host", UIDs: order.AnySet[order.Range](), GIDs: order.AnySet[order.Range]()},
		Namespaces:      harden.Namespaces{Cgroup: own, IPC: own, Mount: own, Network: own, PID: own, Time: "host", UTS: own},
		Rootfs:          "readOnly",
		Mounts:          order.Of(grant.NewSlot("/proc", "proc", "nodev", "noexec", "nosuid")),
		Propagation:     "private",
		MaskedPaths:     order.Covering("/proc/kcore"),
		ReadonlyPaths:   order.Covering("/proc/sys"),
		Devices:         harden.Devices{Nodes: order.Of[grant.Device](), Access: order.Of[grant.Device]("c 1:3 rwm")},
		AppArmor:        grant.AppArmorUnconfined,
		SELinux:         harden.SELinux{Process: none, Mount: none},
		FileRights:      order.Of[grant.PathRight]("execute /usr/bin/hello", "read /usr/bin/hello"),
		Exec:            order.Of[grant.Command](),
		Scopes:          harden.Scopes{AbstractSockets: own, Ptrace: own, Signals: own},
		Memory:          harden.MemoryProtection{ExecutableStack: "forbidden", WriteExecute: "forbidden"},
		Landlock:        harden.Landlock{Level: "off", Files: order.AnySet[grant.PathRight](), Bind: order.AnySet[grant.Port](), Connect: order.AnySet[grant.Port]()},
		Network:         harden.Network{Listen: order.Of[grant.Port]("8080/tcp"), Connect: order.Of[grant.Endpoint]()},
		Rlimits:         grant.UnlimitedRlimits(),
		Resources: harden.Resources{
			MemoryMaxBytes: order.AtMost(64 << 20), SwapMaxBytes: order.Unlimited(), PIDsMax: order.AtMost(64),
			CPUMaxMillis: order.Unlimited(), IOMaxBytesPerSecond: order.Unlimited(), Other: names,
		},
		CgroupsPath: order.Of(grant.Prefix("/immure/")), NetDevices: names, IDMappedMounts: "none", Sysctls: patterns, Hooks: patterns,
		Process: harden.Process{
			Args: grant.LiteralArgs("/usr/bin/hello", "<&>"), Cwd: order.Of(grant.Literal("/")), Executable: "/usr/bin/hello",
			Env: order.Of[grant.Env]("HELLO_*"), Descriptors: order.Of[grant.Name]("stdio"), OOMScoreAdj: order.Only(0),
			Scheduler: none, IOPriority: none, CPUAffinity: none, Personality: none, MemoryPolicy: none, TimeOffsets: none, IntelRdt: none,
		},
		Annotations: names,
		Runtime:     harden.Runtime{OCIVersion: "1.0.0", Digest: order.Any},
	}
}

// Predicate is complete, of the given epoch. Its service is named hello.
func Predicate(epoch int64) attest.Predicate {
	service := Boundary()
	envelope := Boundary()
	envelope.Network.Listen = envelope.Network.Listen.With("9090/tcp")
	p, err := attest.Predicate{
		Name: "hello", Epoch: epoch, Kind: "server", Immutability: "fixed",
		Service: service, Envelope: envelope,
		Waivers: []attest.Waiver{{Facet: "process.env", Grant: "HELLO_*", Reason: "configured by its operator", Expires: "2030-01-01T00:00:00Z"}},
		Origins: []attest.Origin{
			{From: "stated", Boundary: "service", Facet: "network.listen", Grants: []string{"8080/tcp"}},
			{From: "profile:go-static", Boundary: "service", Facet: "syscalls", Grants: []string{"write", "exit", "read"}},
		},
		Unenforced: []attest.Unenforced{{Facet: "network.listen", Grants: []string{"8080/tcp"}, By: "no packet filter in front of the service"}},
	}.Complete()
	if err != nil {
		panic(err) // the sample is wrong
	}
	return p
}

// Key makes a key; its kind is known, so that it cannot fail.
func Key(kind keys.Kind) keys.PrivateKey {
	key, err := keys.Generate(kind)
	if err != nil {
		panic(err)
	}
	return key
}
