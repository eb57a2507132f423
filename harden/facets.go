package harden

import (
	"errors"
	"fmt"
	"slices"

	"github.com/immure-dev/immure/harden/grant"
	"github.com/immure-dev/immure/harden/order"
)

// The chains of the facets that are levels, the strictest first.
var (
	onOff       = order.Chain{"on", "off"}
	rootAccess  = order.Chain{"readOnly", "writable"}
	shares      = order.Chain{"own", "pod", "joined", "host"}
	ownOrHost   = order.Chain{"own", "host"}
	reach       = order.Chain{"own", "any"}
	noneOrAny   = order.Chain{"none", "any"}
	memoryState = order.Chain{"forbidden", "allowed"}
	propagation = order.Chain{"private", "slave", "shared"}
	landlock    = order.Chain{"require", "bestEffort", "off"}
)

// A facet is one row of the table: the name, which is the JSON path, and the
// facet's own order.
type facet struct {
	name   string
	check  func(b *Boundary) error
	over   func(a, limit *Boundary) []string
	meet   func(a, b, out *Boundary) error
	text   func(b *Boundary) string
	grants func(b *Boundary) []string
	take   func(from, to *Boundary)
}

// ordered is a kind of value that brings its own order.
type ordered[T any] interface {
	Check() error
	Over(limit T) []string
	Meet(T) (T, error)
}

func row[T ordered[T]](name string, at func(*Boundary) *T) facet {
	return facet{
		name:  name,
		check: func(b *Boundary) error { return (*at(b)).Check() },
		over:  func(a, limit *Boundary) []string { return (*at(a)).Over(*at(limit)) },
		meet: func(a, b, out *Boundary) (err error) {
			*at(out), err = (*at(a)).Meet(*at(b))
			return err
		},
		text:   func(b *Boundary) string { return text(*at(b)) },
		grants: func(b *Boundary) []string { return grants(*at(b)) },
		take:   func(from, to *Boundary) { *at(to) = *at(from) },
	}
}

func level(name string, c order.Chain, at func(*Boundary) *order.Level) facet {
	return facet{
		name:  name,
		check: func(b *Boundary) error { return c.Check(*at(b)) },
		over:  func(a, limit *Boundary) []string { return c.Over(*at(a), *at(limit)) },
		meet: func(a, b, out *Boundary) (err error) {
			*at(out), err = c.Meet(*at(a), *at(b))
			return err
		},
		text:   func(b *Boundary) string { return string(*at(b)) },
		grants: func(b *Boundary) []string { return []string{string(*at(b))} },
		take:   func(from, to *Boundary) { *at(to) = *at(from) },
	}
}

// withCheck adds to what a facet's own kind checks.
func withCheck(f facet, more func(*Boundary) error) facet {
	own := f.check
	f.check = func(b *Boundary) error {
		if err := own(b); err != nil {
			return err
		}
		return more(b)
	}
	return f
}

// checkEnv refuses the variables of the dynamic loader, and "any", which would
// take them in; the pattern "*" does not.
func checkEnv(b *Boundary) error {
	if b.Process.Env.IsAny() {
		return errors.New("the environment cannot be any: write [\"*\"]")
	}
	for _, e := range b.Process.Env.Members() {
		if e.Loader() {
			return fmt.Errorf("%s: variables of the dynamic loader are never granted", e)
		}
	}
	return nil
}

// facets is the table of predicate version 1, in facet order.
var facets = []facet{
	row("syscalls", func(b *Boundary) *Syscalls { return &b.Syscalls }),
	row("capabilities.ambient", func(b *Boundary) *order.Set[grant.Name] { return &b.Capabilities.Ambient }),
	row("capabilities.bounding", func(b *Boundary) *order.Set[grant.Name] { return &b.Capabilities.Bounding }),
	row("capabilities.effective", func(b *Boundary) *order.Set[grant.Name] { return &b.Capabilities.Effective }),
	row("capabilities.inheritable", func(b *Boundary) *order.Set[grant.Name] { return &b.Capabilities.Inheritable }),
	row("capabilities.permitted", func(b *Boundary) *order.Set[grant.Name] { return &b.Capabilities.Permitted }),
	level("noNewPrivileges", onOff, func(b *Boundary) *order.Level { return &b.NoNewPrivileges }),
	row("user.uid", func(b *Boundary) *order.Range { return &b.User.UID }),
	row("user.gid", func(b *Boundary) *order.Range { return &b.User.GID }),
	row("user.groups", func(b *Boundary) *order.Set[order.Range] { return &b.User.Groups }),
	row("user.umask", func(b *Boundary) *grant.Umask { return &b.User.Umask }),
	level("userNamespace.level", ownOrHost, func(b *Boundary) *order.Level { return &b.UserNamespace.Level }),
	row("userNamespace.uids", func(b *Boundary) *order.Set[order.Range] { return &b.UserNamespace.UIDs }),
	row("userNamespace.gids", func(b *Boundary) *order.Set[order.Range] { return &b.UserNamespace.GIDs }),
	level("namespaces.cgroup", shares, func(b *Boundary) *order.Level { return &b.Namespaces.Cgroup }),
	level("namespaces.ipc", shares, func(b *Boundary) *order.Level { return &b.Namespaces.IPC }),
	level("namespaces.mount", shares, func(b *Boundary) *order.Level { return &b.Namespaces.Mount }),
	level("namespaces.network", shares, func(b *Boundary) *order.Level { return &b.Namespaces.Network }),
	level("namespaces.pid", shares, func(b *Boundary) *order.Level { return &b.Namespaces.PID }),
	level("namespaces.time", shares, func(b *Boundary) *order.Level { return &b.Namespaces.Time }),
	level("namespaces.uts", shares, func(b *Boundary) *order.Level { return &b.Namespaces.UTS }),
	level("rootfs", rootAccess, func(b *Boundary) *order.Level { return &b.Rootfs }),
	row("mounts", func(b *Boundary) *order.Set[grant.Slot] { return &b.Mounts }),
	level("propagation", propagation, func(b *Boundary) *order.Level { return &b.Propagation }),
	row("maskedPaths", func(b *Boundary) *order.Cover { return &b.MaskedPaths }),
	row("readonlyPaths", func(b *Boundary) *order.Cover { return &b.ReadonlyPaths }),
	row("devices.nodes", func(b *Boundary) *order.Set[grant.Device] { return &b.Devices.Nodes }),
	row("devices.access", func(b *Boundary) *order.Set[grant.Device] { return &b.Devices.Access }),
	row("apparmor", func(b *Boundary) *grant.AppArmor { return &b.AppArmor }),
	row("selinux.process", func(b *Boundary) *order.Exact { return &b.SELinux.Process }),
	row("selinux.mount", func(b *Boundary) *order.Exact { return &b.SELinux.Mount }),
	row("fileRights", func(b *Boundary) *order.Set[grant.PathRight] { return &b.FileRights }),
	row("exec", func(b *Boundary) *order.Set[grant.Command] { return &b.Exec }),
	level("scopes.abstractSockets", reach, func(b *Boundary) *order.Level { return &b.Scopes.AbstractSockets }),
	level("scopes.ptrace", reach, func(b *Boundary) *order.Level { return &b.Scopes.Ptrace }),
	level("scopes.signals", reach, func(b *Boundary) *order.Level { return &b.Scopes.Signals }),
	level("memoryProtection.executableStack", memoryState, func(b *Boundary) *order.Level { return &b.Memory.ExecutableStack }),
	level("memoryProtection.writeExecute", memoryState, func(b *Boundary) *order.Level { return &b.Memory.WriteExecute }),
	level("landlock.level", landlock, func(b *Boundary) *order.Level { return &b.Landlock.Level }),
	row("landlock.files", func(b *Boundary) *order.Set[grant.PathRight] { return &b.Landlock.Files }),
	row("landlock.bind", func(b *Boundary) *order.Set[grant.Port] { return &b.Landlock.Bind }),
	row("landlock.connect", func(b *Boundary) *order.Set[grant.Port] { return &b.Landlock.Connect }),
	row("network.listen", func(b *Boundary) *order.Set[grant.Port] { return &b.Network.Listen }),
	row("network.connect", func(b *Boundary) *order.Set[grant.Endpoint] { return &b.Network.Connect }),
	row("rlimits", func(b *Boundary) *grant.Rlimits { return &b.Rlimits }),
	row("resources.memoryMaxBytes", func(b *Boundary) *order.Limit { return &b.Resources.MemoryMaxBytes }),
	row("resources.swapMaxBytes", func(b *Boundary) *order.Limit { return &b.Resources.SwapMaxBytes }),
	row("resources.pidsMax", func(b *Boundary) *order.Limit { return &b.Resources.PIDsMax }),
	row("resources.cpuMaxMillis", func(b *Boundary) *order.Limit { return &b.Resources.CPUMaxMillis }),
	row("resources.ioMaxBytesPerSecond", func(b *Boundary) *order.Limit { return &b.Resources.IOMaxBytesPerSecond }),
	row("resources.other", func(b *Boundary) *order.Set[grant.Name] { return &b.Resources.Other }),
	row("cgroupsPath", func(b *Boundary) *order.Set[grant.Pattern] { return &b.CgroupsPath }),
	row("netDevices", func(b *Boundary) *order.Set[grant.Name] { return &b.NetDevices }),
	level("idMappedMounts", noneOrAny, func(b *Boundary) *order.Level { return &b.IDMappedMounts }),
	row("sysctls", func(b *Boundary) *order.Set[grant.Pattern] { return &b.Sysctls }),
	row("hooks", func(b *Boundary) *order.Set[grant.Pattern] { return &b.Hooks }),
	row("process.args", func(b *Boundary) *grant.Args { return &b.Process.Args }),
	row("process.cwd", func(b *Boundary) *order.Set[grant.Pattern] { return &b.Process.Cwd }),
	row("process.executable", func(b *Boundary) *order.Exact { return &b.Process.Executable }),
	withCheck(row("process.env", func(b *Boundary) *order.Set[grant.Env] { return &b.Process.Env }), checkEnv),
	row("process.descriptors", func(b *Boundary) *order.Set[grant.Name] { return &b.Process.Descriptors }),
	row("process.oomScoreAdj", func(b *Boundary) *order.Range { return &b.Process.OOMScoreAdj }),
	row("process.scheduler", func(b *Boundary) *order.Exact { return &b.Process.Scheduler }),
	row("process.ioPriority", func(b *Boundary) *order.Exact { return &b.Process.IOPriority }),
	row("process.cpuAffinity", func(b *Boundary) *order.Exact { return &b.Process.CPUAffinity }),
	row("process.personality", func(b *Boundary) *order.Exact { return &b.Process.Personality }),
	row("process.memoryPolicy", func(b *Boundary) *order.Exact { return &b.Process.MemoryPolicy }),
	row("process.timeOffsets", func(b *Boundary) *order.Exact { return &b.Process.TimeOffsets }),
	row("process.intelRdt", func(b *Boundary) *order.Exact { return &b.Process.IntelRdt }),
	row("annotations", func(b *Boundary) *order.Set[grant.Name] { return &b.Annotations }),
	row("runtime.ociVersion", func(b *Boundary) *order.Version { return &b.Runtime.OCIVersion }),
	row("runtime.digest", func(b *Boundary) *order.Exact { return &b.Runtime.Digest }),
}

// Facets returns the names of all facets, in facet order.
func Facets() []string {
	names := make([]string, len(facets))
	for i, f := range facets {
		names[i] = f.name
	}
	return names
}

// find returns the row of a facet.
func find(name string) (facet, bool) {
	i := slices.IndexFunc(facets, func(f facet) bool { return f.name == name })
	if i < 0 {
		return facet{}, false
	}
	return facets[i], true
}
