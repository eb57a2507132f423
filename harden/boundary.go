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
// are frozen in a version of the predicate. Kinds of order: package order.
type Boundary struct {
	// Syscalls is the system call filter. Source: seccomp(2).
	Syscalls Syscalls `json:"syscalls"`
	// Capabilities are the five sets of capabilities(7).
	Capabilities Capabilities `json:"capabilities"`
	// NoNewPrivileges is "on" or "off". Source: prctl(2), PR_SET_NO_NEW_PRIVS.
	NoNewPrivileges order.Level `json:"noNewPrivileges"`
	User            User        `json:"user"`
	// UserNamespace says which host ids the container's ids can be.
	UserNamespace UserNamespace `json:"userNamespace"`
	Namespaces    Namespaces    `json:"namespaces"`
	// Rootfs is "readOnly" or "writable".
	Rootfs order.Level `json:"rootfs"`
	// Mounts are the slots that may be filled, the root file system apart.
	Mounts order.Set[grant.Slot] `json:"mounts"`
	// Propagation is of the root mount: "private", "slave" or "shared".
	// Source: Linux Documentation/filesystems/sharedsubtree.rst.
	Propagation order.Level `json:"propagation"`
	// MaskedPaths must be hidden, ReadonlyPaths at least not writable.
	MaskedPaths   order.Cover    `json:"maskedPaths"`
	ReadonlyPaths order.Cover    `json:"readonlyPaths"`
	Devices       Devices        `json:"devices"`
	AppArmor      grant.AppArmor `json:"apparmor"`
	SELinux       SELinux        `json:"selinux"`
	// FileRights are rights beneath paths, such as "read /etc/hello".
	FileRights order.Set[grant.PathRight] `json:"fileRights"`
	// Exec lists what else may be executed in the container: probes, hooks,
	// an engine's exec.
	Exec order.Set[grant.Command] `json:"exec"`
	// Scopes say how far signals, ptrace and abstract sockets reach.
	Scopes Scopes `json:"scopes"`
	// Memory says whether code may be made at run time.
	Memory   MemoryProtection `json:"memoryProtection"`
	Landlock Landlock         `json:"landlock"`
	Network  Network          `json:"network"`
	Rlimits  grant.Rlimits    `json:"rlimits"`
	// Resources are the cgroup's limits.
	Resources Resources `json:"resources"`
	// CgroupsPath lists patterns of the cgroup path that may be asked for.
	CgroupsPath order.Set[grant.Pattern] `json:"cgroupsPath"`
	// NetDevices are host network devices moved into the container.
	NetDevices order.Set[grant.Name] `json:"netDevices"`
	// IDMappedMounts is "none" or "any".
	IDMappedMounts order.Level `json:"idMappedMounts"`
	// Sysctls are "key=value".
	Sysctls order.Set[grant.Pattern] `json:"sysctls"`
	// Hooks are runtime hooks, "stage executable arguments…".
	Hooks   order.Set[grant.Pattern] `json:"hooks"`
	Process Process                  `json:"process"`
	// Annotations are those that change what a runtime does.
	Annotations order.Set[grant.Name] `json:"annotations"`
	Runtime     Runtime               `json:"runtime"`
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
	UID order.Range `json:"uid"`
	GID order.Range `json:"gid"`
	// Groups are the supplementary group ids.
	Groups order.Set[order.Range] `json:"groups"`
	// Umask hides permission bits of new files; the more bits, the stricter.
	Umask grant.Umask `json:"umask"`
}

// A UserNamespace says which ids of the host the ids inside can stand for.
type UserNamespace struct {
	// Level is "own" or "host".
	Level order.Level `json:"level"`
	// UIDs and GIDs are host ids; "any" when the namespace is the host's.
	UIDs order.Set[order.Range] `json:"uids"`
	GIDs order.Set[order.Range] `json:"gids"`
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
	Nodes  order.Set[grant.Device] `json:"nodes"`
	Access order.Set[grant.Device] `json:"access"`
}

// SELinux labels, "none" when none is asked for.
type SELinux struct {
	Process order.Exact `json:"process"`
	Mount   order.Exact `json:"mount"`
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
	// Level is "require", "bestEffort" or "off".
	Level   order.Level                `json:"level"`
	Files   order.Set[grant.PathRight] `json:"files"`
	Bind    order.Set[grant.Port]      `json:"bind"`
	Connect order.Set[grant.Port]      `json:"connect"`
}

// Network is what the service serves and where it may go.
type Network struct {
	Listen  order.Set[grant.Port]     `json:"listen"`
	Connect order.Set[grant.Endpoint] `json:"connect"`
}

// Resources are limits of the cgroup.
// Source: Linux Documentation/admin-guide/cgroup-v2.rst.
type Resources struct {
	// MemoryMaxBytes is memory.max, in bytes.
	MemoryMaxBytes order.Limit `json:"memoryMaxBytes"`
	// SwapMaxBytes is memory.swap.max: swap alone, in bytes.
	SwapMaxBytes order.Limit `json:"swapMaxBytes"`
	// PIDsMax is the most tasks, counting threads, as in pids.max.
	PIDsMax order.Limit `json:"pidsMax"`
	// CPUMaxMillis is cpu.max in thousandths of one processor.
	CPUMaxMillis order.Limit `json:"cpuMaxMillis"`
	// IOMaxBytesPerSecond is the highest rbps or wbps of io.max on any device.
	IOMaxBytesPerSecond order.Limit `json:"ioMaxBytesPerSecond"`
	// Other names every further resource setting that was asked for.
	Other order.Set[grant.Name] `json:"other"`
}

// A Process is what is started and how.
type Process struct {
	Args grant.Args `json:"args"`
	// Cwd lists absolute working directories.
	Cwd order.Set[grant.Pattern] `json:"cwd"`
	// Executable is the resolved path of the program.
	Executable order.Exact          `json:"executable"`
	Env        order.Set[grant.Env] `json:"env"`
	// Descriptors that are open at the start: "stdio", "terminal", others.
	Descriptors order.Set[grant.Name] `json:"descriptors"`
	// OOMScoreAdj is from -1000 to 1000. Source: proc(5), oom_score_adj.
	OOMScoreAdj order.Range `json:"oomScoreAdj"`
	Scheduler   order.Exact `json:"scheduler"`
	IOPriority  order.Exact `json:"ioPriority"`
	// CPUAffinity is of process.execCPUAffinity.
	CPUAffinity  order.Exact `json:"cpuAffinity"`
	Personality  order.Exact `json:"personality"`
	MemoryPolicy order.Exact `json:"memoryPolicy"`
	TimeOffsets  order.Exact `json:"timeOffsets"`
	IntelRdt     order.Exact `json:"intelRdt"`
}

// A Runtime is the least that is asked of the OCI runtime.
type Runtime struct {
	// OCIVersion is the lowest runtime-spec version of a configuration.
	OCIVersion order.Version `json:"ociVersion"`
	// Digest of the runtime's binary, "sha256:…", or "any".
	Digest order.Exact `json:"digest"`
}
