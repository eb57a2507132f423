package profiles

import (
	"github.com/immure-dev/immure/harden"
	"github.com/immure-dev/immure/harden/grant"
	"github.com/immure-dev/immure/harden/order"
)

// eperm is what a refused call is answered. Source: errno(3).
const eperm = 1

// maxID is the largest user or group id that is accepted: larger ones read as
// negative somewhere (CVE-2026-46680).
const maxID = 1<<31 - 1

const mebibyte = 1 << 20

// Base returns the tightest boundary of a kind, "server" or "job", with every
// facet stated; the zero boundary, which states none, for any other kind.
//
// Both kinds listen nowhere and connect nowhere until the service says so. A
// server may be given ports; a job may not, and reaches at most the loopback
// device of its own network namespace. The only system calls are those that
// end a process. User and group are any but root, to be narrowed to one. Three
// facets promise nothing: user and time namespaces are the host's, and no
// Landlock rules are installed. Args, executable and resources are open, for
// only the service can say them.
func Base(kind string) harden.Boundary {
	if kind != "server" && kind != "job" {
		return harden.Boundary{}
	}
	rules, err := data().rules("exit")
	if err != nil {
		panic(err) // of embedded data
	}
	nonroot := order.Between(1, maxID)
	none := order.Of[grant.Name]()
	return harden.Boundary{
		Syscalls:        harden.NewSyscalls([]string{"x86_64"}, harden.Errno(eperm), rules...),
		Capabilities:    harden.Capabilities{Ambient: none, Bounding: none, Effective: none, Inheritable: none, Permitted: none},
		NoNewPrivileges: "on",
		User:            harden.User{UID: nonroot, GID: nonroot, Groups: order.Of[order.Range](), Umask: "0022"},
		UserNamespace:   harden.UserNamespace{Level: "host", UIDs: order.AnySet[order.Range](), GIDs: order.AnySet[order.Range]()},
		Namespaces:      harden.Namespaces{Cgroup: "own", IPC: "own", Mount: "own", Network: "own", PID: "own", Time: "host", UTS: "own"},
		Rootfs:          "readOnly",
		Mounts:          order.Of(baseMounts()...),
		Propagation:     "private",
		MaskedPaths:     order.Covering(maskedByAny...),
		ReadonlyPaths:   order.Covering(readonlyPaths...),
		Devices:         harden.Devices{Nodes: order.Of[grant.Device](), Access: order.Of(runtimeDevices...)},
		AppArmor:        grant.AppArmorUnconfined,
		SELinux:         harden.SELinux{Process: order.None, Mount: order.None},
		FileRights:      order.Of[grant.PathRight](),
		Exec:            order.Of[grant.Command](),
		Scopes:          harden.Scopes{AbstractSockets: "own", Ptrace: "own", Signals: "own"},
		Memory:          harden.MemoryProtection{ExecutableStack: "forbidden", WriteExecute: "forbidden"},
		Landlock: harden.Landlock{
			Level: "off", Files: order.AnySet[grant.PathRight](),
			Bind: order.AnySet[grant.Port](), Connect: order.AnySet[grant.Port](),
		},
		Network:        harden.Network{Listen: order.Of[grant.Port](), Connect: order.Of[grant.Endpoint]()},
		Rlimits:        baseRlimits(),
		Resources:      openResources(none),
		CgroupsPath:    order.Of(grant.Prefix("/immure/")),
		NetDevices:     none,
		IDMappedMounts: "none",
		Sysctls:        order.Of[grant.Pattern](),
		Hooks:          order.Of[grant.Pattern](),
		Process:        baseProcess(),
		Annotations:    none,
		Runtime:        harden.Runtime{OCIVersion: "1.0.0", Digest: order.Any},
	}
}

// baseMounts are what every process may rely on; see proc(5), pts(4), shm(7).
// Sizes are those that every engine gives.
func baseMounts() []grant.Slot {
	dev := grant.NewSlot("/dev", "tmpfs", "noexec", "nosuid")
	dev.SizeMaxBytes = order.AtMost(64 * mebibyte)
	shm := grant.NewSlot("/dev/shm", "tmpfs", "nodev", "noexec", "nosuid")
	shm.SizeMaxBytes = order.AtMost(64 * mebibyte)
	return []grant.Slot{
		grant.NewSlot("/proc", "proc", "nodev", "noexec", "nosuid"),
		dev,
		grant.NewSlot("/dev/pts", "devpts", "noexec", "nosuid"),
		shm,
	}
}

// baseRlimits bounds what otherwise comes from whoever starts the runtime. The
// hard limit of open files is the kernel's own default, so that no privilege is
// needed to set it. Source: include/uapi/linux/fs.h, INR_OPEN_MAX.
func baseRlimits() grant.Rlimits {
	return grant.UnlimitedRlimits().
		With("RLIMIT_CORE", grant.Rlimit{Hard: order.AtMost(0), Soft: order.AtMost(0)}).
		With("RLIMIT_NOFILE", grant.Rlimit{Hard: order.AtMost(4096), Soft: order.AtMost(1024)})
}

func openResources(other order.Set[grant.Name]) harden.Resources {
	return harden.Resources{
		MemoryMaxBytes: order.Unlimited(), SwapMaxBytes: order.Unlimited(), PIDsMax: order.Unlimited(),
		CPUMaxMillis: order.Unlimited(), IOMaxBytesPerSecond: order.Unlimited(), Other: other,
	}
}

func baseProcess() harden.Process {
	return harden.Process{
		Args:        grant.AnyArgs(),
		Cwd:         order.Of(grant.Literal("/")),
		Executable:  order.Any,
		Env:         order.Of[grant.Env](),
		Descriptors: order.Of[grant.Name]("stdio"),
		OOMScoreAdj: order.Only(0),
		Scheduler:   order.None, IOPriority: order.None, CPUAffinity: order.None, Personality: order.None,
		MemoryPolicy: order.None, TimeOffsets: order.None, IntelRdt: order.None,
	}
}
