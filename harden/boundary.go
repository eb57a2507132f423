package harden

import (
	"github.com/immure-dev/immure/harden/grant"
	"github.com/immure-dev/immure/harden/order"
)

// A Boundary is everything that is enforced between a service and what is
// outside it. The zero value states nothing and is no boundary; see
// [Boundary.Check].
//
// The fields' JSON names, joined by dots, are the names of the facets, which
// are frozen in a version of the predicate. Kinds of order: package order. The
// fields stand in the order of their names, as the canonical form has them.
type Boundary struct {
	// Annotations are those that change what a runtime does.
	Annotations order.Set[grant.Name] `json:"annotations"`
	AppArmor    grant.AppArmor        `json:"apparmor"`
	// Capabilities are the five sets of capabilities(7).
	Capabilities Capabilities `json:"capabilities"`
	// CgroupsPath lists patterns of the cgroup path that may be asked for.
	CgroupsPath order.Set[grant.Pattern] `json:"cgroupsPath"`
	Devices     Devices                  `json:"devices"`
	// Exec lists what else may be executed in the container: probes, hooks,
	// an engine's exec.
	Exec order.Set[grant.Command] `json:"exec"`
	// FileRights are rights beneath paths, such as "read /etc/hello".
	FileRights order.Set[grant.PathRight] `json:"fileRights"`
	// Hooks are runtime hooks, "stage executable arguments…".
	Hooks order.Set[grant.Pattern] `json:"hooks"`
	// IDMappedMounts is "none" or "any".
	IDMappedMounts order.Level `json:"idMappedMounts"`
	Landlock       Landlock    `json:"landlock"`
	// MaskedPaths must be hidden.
	MaskedPaths order.Cover `json:"maskedPaths"`
	// Memory says whether code may be made at run time.
	Memory MemoryProtection `json:"memoryProtection"`
	// Mounts are the slots that may be filled, the root file system apart.
	Mounts     order.Set[grant.Slot] `json:"mounts"`
	Namespaces Namespaces            `json:"namespaces"`
	// NetDevices are host network devices moved into the container.
	NetDevices order.Set[grant.Name] `json:"netDevices"`
	Network    Network               `json:"network"`
	// NoNewPrivileges is "on" or "off". Source: prctl(2), PR_SET_NO_NEW_PRIVS.
	NoNewPrivileges order.Level `json:"noNewPrivileges"`
	Process         Process     `json:"process"`
	// Propagation is of the root mount: "private", "slave" or "shared".
	// Source: Linux Documentation/filesystems/sharedsubtree.rst.
	Propagation order.Level `json:"propagation"`
	// ReadonlyPaths must be hidden or not writable.
	ReadonlyPaths order.Cover `json:"readonlyPaths"`
	// Resources are the cgroup's limits.
	Resources Resources     `json:"resources"`
	Rlimits   grant.Rlimits `json:"rlimits"`
	// Rootfs is "readOnly" or "writable".
	Rootfs  order.Level `json:"rootfs"`
	Runtime Runtime     `json:"runtime"`
	// Scopes say how far signals, ptrace and abstract sockets reach.
	Scopes  Scopes  `json:"scopes"`
	SELinux SELinux `json:"selinux"`
	// Syscalls is the system call filter. Source: seccomp(2).
	Syscalls Syscalls `json:"syscalls"`
	// Sysctls are "key=value".
	Sysctls order.Set[grant.Pattern] `json:"sysctls"`
	User    User                     `json:"user"`
	// UserNamespace says which host ids the container's ids can be.
	UserNamespace UserNamespace `json:"userNamespace"`
}

// Capabilities are sets of kernel names: "CAP_NET_BIND_SERVICE".
// Source: include/uapi/linux/capability.h.
type Capabilities struct {
	Ambient     order.Set[grant.Name] `json:"ambient"`
	Bounding    order.Set[grant.Name] `json:"bounding"`
	Effective   order.Set[grant.Name] `json:"effective"`
	Inheritable order.Set[grant.Name] `json:"inheritable"`
	Permitted   order.Set[grant.Name] `json:"permitted"`
}

// A User is who the process is, in the container's ids.
type User struct {
	GID order.Range `json:"gid"`
	// Groups are the supplementary group ids.
	Groups order.Set[order.Range] `json:"groups"`
	UID    order.Range            `json:"uid"`
	// Umask hides permission bits of new files; the more bits, the stricter.
	Umask grant.Umask `json:"umask"`
}

// A UserNamespace says which ids of the host the ids inside can stand for.
type UserNamespace struct {
	GIDs order.Set[order.Range] `json:"gids"`
	// Level is "own" or "host".
	Level order.Level `json:"level"`
	// UIDs and GIDs are host ids; "any" when the namespace is the host's.
	UIDs order.Set[order.Range] `json:"uids"`
}

// Namespaces says for each kind whose it is: the container's own, the pod's,
// one that was joined, or the host's. Source: namespaces(7).
type Namespaces struct {
	Cgroup  order.Level `json:"cgroup"`
	IPC     order.Level `json:"ipc"`
	Mount   order.Level `json:"mount"`
	Network order.Level `json:"network"`
	PID     order.Level `json:"pid"`
	Time    order.Level `json:"time"`
	UTS     order.Level `json:"uts"`
}

// Devices are the nodes asked for and what the device cgroup lets through.
type Devices struct {
	Access order.Set[grant.Device] `json:"access"`
	Nodes  order.Set[grant.Device] `json:"nodes"`
}

// SELinux labels, "none" when none is asked for.
type SELinux struct {
	Mount   order.Exact `json:"mount"`
	Process order.Exact `json:"process"`
}

// Scopes say how far a process reaches beyond itself: "own" (the same
// container) or "any".
type Scopes struct {
	AbstractSockets order.Level `json:"abstractSockets"`
	Ptrace          order.Level `json:"ptrace"`
	Signals         order.Level `json:"signals"`
}

// MemoryProtection is "forbidden" or "allowed" each.
type MemoryProtection struct {
	// ExecutableStack is PT_GNU_STACK with PF_X. Source: elf(5).
	ExecutableStack order.Level `json:"executableStack"`
	// WriteExecute is memory that is writable and executable.
	WriteExecute order.Level `json:"writeExecute"`
}

// Landlock is what the launcher confines itself to.
// Source: Linux Documentation/userspace-api/landlock.rst.
type Landlock struct {
	Bind    order.Set[grant.Port]      `json:"bind"`
	Connect order.Set[grant.Port]      `json:"connect"`
	Files   order.Set[grant.PathRight] `json:"files"`
	// Level is "require", "bestEffort" or "off".
	Level order.Level `json:"level"`
}

// Network is what the service serves and where it may go.
type Network struct {
	Connect order.Set[grant.Endpoint] `json:"connect"`
	Listen  order.Set[grant.Port]     `json:"listen"`
}

// Resources are limits of the cgroup.
// Source: Linux Documentation/admin-guide/cgroup-v2.rst.
type Resources struct {
	// CPUMaxMillis is cpu.max in thousandths of one processor.
	CPUMaxMillis order.Limit `json:"cpuMaxMillis"`
	// IOMaxBytesPerSecond is the highest rbps or wbps of io.max on any device.
	IOMaxBytesPerSecond order.Limit `json:"ioMaxBytesPerSecond"`
	// MemoryMaxBytes is memory.max, in bytes.
	MemoryMaxBytes order.Limit `json:"memoryMaxBytes"`
	// Other names every further resource setting that was asked for.
	Other order.Set[grant.Name] `json:"other"`
	// PIDsMax is the most tasks, counting threads, as in pids.max.
	PIDsMax order.Limit `json:"pidsMax"`
	// SwapMaxBytes is memory.swap.max: swap alone, in bytes.
	SwapMaxBytes order.Limit `json:"swapMaxBytes"`
}

// A Process is what is started and how.
type Process struct {
	Args grant.Args `json:"args"`
	// CPUAffinity is of process.execCPUAffinity.
	CPUAffinity order.Exact `json:"cpuAffinity"`
	// Cwd lists absolute working directories.
	Cwd order.Set[grant.Pattern] `json:"cwd"`
	// Descriptors that are open at the start: "stdio", "terminal", others.
	Descriptors order.Set[grant.Name] `json:"descriptors"`
	Env         order.Set[grant.Env]  `json:"env"`
	// Executable is the resolved path of the program.
	Executable   order.Exact `json:"executable"`
	IntelRdt     order.Exact `json:"intelRdt"`
	IOPriority   order.Exact `json:"ioPriority"`
	MemoryPolicy order.Exact `json:"memoryPolicy"`
	// OOMScoreAdj is from -1000 to 1000. Source: proc(5), oom_score_adj.
	OOMScoreAdj order.Range `json:"oomScoreAdj"`
	Personality order.Exact `json:"personality"`
	Scheduler   order.Exact `json:"scheduler"`
	TimeOffsets order.Exact `json:"timeOffsets"`
}

// A Runtime is the least that is asked of the OCI runtime.
type Runtime struct {
	// Digest of the runtime's binary, "sha256:…", or "any".
	Digest order.Exact `json:"digest"`
	// OCIVersion is the lowest runtime-spec version of a configuration.
	OCIVersion order.Version `json:"ociVersion"`
}
