//go:build e2e

package hostile_test

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
)

// rules say for each member of the rendered configuration, by its path without
// indices, how it becomes wider. Every member has one; those that may change
// have none in their list. Paths that end in "+" are of members that are absent
// and are added.
var rules = map[string][]wider{
	"ociVersion":                    {more("older", "runtime.ociVersion", "0.9.0"), more("no version", "runtime.ociVersion", "x"), drop("runtime.ociVersion")},
	"hostname":                      nil, // names nothing but the container's own
	"root.path":                     nil, // whose files they are the tree digest says
	"root.readonly":                 {more("writable", "rootfs", false), drop("rootfs")},
	"process.user.uid":              {more("root", "user.uid", 0), more("another", "user.uid", 65533), more("too large", "user.uid", int64(1)<<31), more("4294967295", "user.uid", int64(1)<<32-1), drop("user.uid")},
	"process.user.gid":              {more("root", "user.gid", 0), more("too large", "user.gid", int64(1)<<31), drop("user.gid")},
	"process.user.umask":            {more("none", "user.umask", 0)},
	"process.user.additionalGids+":  {more("root's", "user.groups", []any{0}), more("a disk's", "user.groups", []any{6})},
	"process.user.username+":        {more("root", "unknown", "root")},
	"process.args[]":                {more("another", "process.args", "/proc/self/exe")},
	"process.args":                  {appended("one more", "process.args", "-debug"), more("none", "process.args", []any{}), drop("process.args")},
	"process.commandLine+":          {more("a shell", "unknown", "/bin/sh")},
	"process.env[]":                 {more("a loader's", "process.env", "LD_PRELOAD=/scratch/x"), more("another path", "process.env", "PATH=/scratch")},
	"process.env":                   {appended("one more", "process.env", "X=1"), appended("a loader's", "process.env", "LD_AUDIT=/scratch/x"), appended("no value", "process.env", "X")},
	"process.cwd":                   {more("elsewhere", "process.cwd", "/scratch"), more("a descriptor's", "process.cwd", "/proc/self/fd/8"), more("relative", "process.cwd", "."), drop("process.cwd")},
	"process.capabilities":          {drop("capabilities.bounding")},
	"process.capabilities.ambient+": {more("one", "capabilities.ambient", []any{"CAP_SYS_ADMIN"})},
	"process.capabilities.bounding+": {
		more("one", "capabilities.bounding", []any{"CAP_NET_RAW"}), more("unknown", "capabilities.bounding", []any{"CAP_ALL"}),
		more("lower case", "capabilities.bounding", []any{"cap_sys_admin"}),
	},
	"process.capabilities.effective+":   {more("one", "capabilities.effective", []any{"CAP_SYS_ADMIN"})},
	"process.capabilities.inheritable+": {more("one", "capabilities.inheritable", []any{"CAP_SYS_ADMIN"})},
	"process.capabilities.permitted+":   {more("one", "capabilities.permitted", []any{"CAP_SYS_ADMIN"})},
	"process.rlimits":                   {more("none", "rlimits", []any{}), drop("rlimits")},
	"process.rlimits[]":                 {drop("rlimits")},
	"process.rlimits[].type":            {more("another", "rlimits", "RLIMIT_CPU"), more("unknown", "rlimits", "RLIMIT_ALL")},
	"process.rlimits[].hard":            {more("higher", "rlimits", 1<<20), more("none", "rlimits", json.Number("18446744073709551615"))},
	"process.rlimits[].soft":            {more("higher", "rlimits", 1<<20)},
	"process.noNewPrivileges":           {more("off", "noNewPrivileges", false), drop("noNewPrivileges")},
	"process.oomScoreAdj":               {more("never", "process.oomScoreAdj", -1000), drop("process.oomScoreAdj")},
	"process.terminal+":                 {more("one", "process.descriptors", true)},
	"process.selinuxLabel+":             {more("unconfined", "selinux.process", "u:r:unconfined_t:s0")},
	"process.scheduler+":                {more("real time", "process.scheduler", object{"policy": "SCHED_FIFO", "priority": 99})},
	"process.ioPriority+":               {more("real time", "process.ioPriority", object{"class": "IOPRIO_CLASS_RT", "priority": 0})},
	"process.execCPUAffinity+":          {more("one", "process.cpuAffinity", object{"initial": "0"})},
	"process.privileged+":               {more("unknown", "unknown", true)},
	"process.NoNewPrivileges+":          {more("in another case", "unknown", false)},

	"mounts": {
		appended("the host's root", "mounts", bind("/mnt", "/", "rbind")),
		appended("the host's root, read-only", "mounts", bind("/mnt", "/", "ro", "nosuid", "nodev", "noexec")),
		appended("an engine's socket", "mounts", bind("/scratch/docker.sock", "/var/run/docker.sock")),
		appended("over the program", "unknown", bind("/usr/bin/service", "/tmp/x", "ro")),
		appended("over its directory", "unknown", object{"destination": "/usr", "type": "tmpfs", "source": "tmpfs"}),
		appended("over the seal", "unknown", bind("/.immure/seal.json", "/tmp/x", "ro")),
		appended("over the root", "unknown", object{"destination": "/", "type": "tmpfs", "source": "tmpfs"}),
		appended("the host's processes", "mounts", bind("/proc/1", "/proc/1")),
		appended("sysfs", "mounts", object{"destination": "/sys", "type": "sysfs", "source": "sysfs"}),
		appended("cgroups", "mounts", object{"destination": "/sys/fs/cgroup", "type": "cgroup", "source": "cgroup"}),
		appended("a disk", "mounts", object{"destination": "/mnt", "type": "ext4", "source": "/dev/sda1"}),
		appended("an overlay", "mounts", object{"destination": "/scratch", "type": "overlay", "source": "overlay", "options": []any{"lowerdir=/"}}),
		appended("through ..", "mounts", bind("/scratch/../.immure", "/tmp/x")),
	},
	"mounts[].destination": {more("elsewhere", "mounts", "/mnt"), more("over the declarations", "unknown", "/.immure"), more("over the program", "unknown", "/usr/bin")},
	"mounts[].type":        {more("bind", "mounts", "bind"), more("unknown", "mounts", "ext4"), drop("mounts")},
	"mounts[].source":      nil, // of what the kernel mounts: a name
	"mounts[].options": {
		appended("exec", "mounts", "exec"), appended("suid", "mounts", "suid"), appended("bind", "mounts", "bind"), appended("rbind", "mounts", "rbind"),
		appended("shared", "mounts", "rshared"), appended("unknown", "mounts", "x-all"), drop("mounts"),
	},
	"mounts[].options[]": {
		when("noexec", "mounts", gone{}), when("nosuid", "mounts", gone{}), when("nodev", "mounts", gone{}),
		when("noexec", "mounts", "exec"), when("nosuid", "mounts", "suid"), when("nodev", "mounts", "dev"),
		{"endless", "mounts", func(v any) (any, bool) { return gone{}, strings.HasPrefix(shown(v), "size=") }},
		{"larger", "mounts", func(v any) (any, bool) { return shown(v) + "0", strings.HasPrefix(shown(v), "size=") }},
		{"half of all", "mounts", func(v any) (any, bool) { return "size=50%", strings.HasPrefix(shown(v), "size=") }},
	},
	"mounts[].uidMappings+": {more("one", "idMappedMounts", []any{object{"containerID": 0, "hostID": 0, "size": 1}})},

	"linux.resources":                          {drop("resources.memoryMaxBytes"), drop("devices.access")},
	"linux.resources.devices":                  {more("none", "devices.access", []any{}), appended("all", "devices.access", object{"allow": true, "access": "rwm"}), appended("a disk", "devices.access", object{"allow": true, "type": "b", "major": 8, "minor": 0, "access": "r"})},
	"linux.resources.devices[].allow":          {when("false", "devices.access", true)},
	"linux.resources.devices[].type":           nil, // see the list as a whole: what widens one narrows another
	"linux.resources.devices[].major":          {drop("devices.access"), more("a disk's", "devices.access", 8)},
	"linux.resources.devices[].minor":          {drop("devices.access"), more("the machine's memory", "devices.access", 1)},
	"linux.resources.devices[].access":         {when("m", "devices.access", "rwm")},
	"linux.resources.memory":                   {drop("resources.memoryMaxBytes")},
	"linux.resources.memory.limit":             {scaled("resources.memoryMaxBytes", 2), more("none", "resources.memoryMaxBytes", -1), more("0", "resources.memoryMaxBytes", 0), drop("resources.memoryMaxBytes")},
	"linux.resources.memory.disableOOMKiller+": {more("on", "resources.other", true)},
	"linux.resources.cpu":                      {drop("resources.cpuMaxMillis")},
	"linux.resources.cpu.quota":                {scaled("resources.cpuMaxMillis", 2), more("none", "resources.cpuMaxMillis", -1), drop("resources.cpuMaxMillis")},
	"linux.resources.cpu.period":               {more("half", "resources.cpuMaxMillis", 50_000)},
	"linux.resources.cpu.realtimeRuntime+":     {more("some", "resources.other", 950_000)},
	"linux.resources.pids":                     {drop("resources.pidsMax")},
	"linux.resources.pids.limit":               {scaled("resources.pidsMax", 2), more("none", "resources.pidsMax", -1), more("0", "resources.pidsMax", 0)},
	"linux.resources.unified+":                 {more("memory", "resources.memoryMaxBytes", object{"memory.max": "max"}), more("pids", "resources.pidsMax", object{"pids.max": "max"}), more("other", "resources.other", object{"memory.oom.group": "1"})},
	"linux.resources.hugepageLimits+":          {more("some", "resources.other", []any{object{"pageSize": "2MB", "limit": 1 << 30}})},
	"linux.resources.rdma+":                    {more("some", "resources.other", object{"mlx5_0": object{"hcaHandles": 9}})},
	"linux.resources.network+":                 {more("a class", "resources.other", object{"classID": 1})},
	"linux.cgroupsPath":                        {more("another's", "cgroupsPath", "/system.slice/x"), more("climbing", "cgroupsPath", "/immure/../x"), more("the root", "cgroupsPath", "/"), drop("cgroupsPath")},
	"linux.namespaces":                         {more("none", "namespaces.pid", []any{}), more("none", "namespaces.mount", []any{}), drop("namespaces.network"), appended("one twice", "unknown", object{"type": "pid", "path": "/proc/1/ns/pid"})},
	"linux.namespaces[]":                       {drop("namespaces.")},
	"linux.namespaces[].type":                  {more("unknown", "namespaces.", "all"), drop("namespaces.")},
	"linux.namespaces[].path+":                 {more("the host's", "namespaces.", "/proc/1/ns/net"), more("another's", "namespaces.", "/proc/4711/ns/pid")},
	"linux.uidMappings+":                       {more("all", "userNamespace.", []any{object{"containerID": 0, "hostID": 0, "size": 65536}})},
	"linux.sysctl+":                            {more("one", "sysctls", object{"net.ipv4.ip_forward": "1"}), more("the kernel's", "sysctls", object{"kernel.core_pattern": "|/scratch/x"})},
	"linux.devices+":                           {more("a disk", "devices.nodes", []any{object{"path": "/dev/sda", "type": "b", "major": 8, "minor": 0}})},
	"linux.netDevices+":                        {more("the host's", "netDevices", object{"eth0": object{}})},
	"linux.rootfsPropagation":                  {more("shared", "propagation", "shared"), more("slave", "propagation", "rslave"), drop("propagation")},
	"linux.maskedPaths":                        {more("none", "maskedPaths", []any{}), drop("maskedPaths")},
	"linux.maskedPaths[]":                      {drop("maskedPaths"), more("elsewhere", "maskedPaths", "/scratch/x"), more("beneath", "maskedPaths", "/proc/acpi/x/y")},
	"linux.readonlyPaths":                      {more("none", "readonlyPaths", []any{}), drop("readonlyPaths")},
	"linux.readonlyPaths[]":                    {drop("readonlyPaths"), more("elsewhere", "readonlyPaths", "/scratch/x")},
	"linux.mountLabel+":                        {more("one", "selinux.mount", "u:o:t:s0")},
	"linux.personality+":                       {more("another", "process.personality", object{"domain": "LINUX32"})},
	"linux.memoryPolicy+":                      {more("another", "process.memoryPolicy", object{"mode": "MPOL_BIND", "nodes": "0"})},
	"linux.timeOffsets+":                       {more("one", "process.timeOffsets", object{"boottime": object{"secs": 1}})},
	"linux.intelRdt+":                          {more("one", "process.intelRdt", object{"closID": "x"})},

	"linux.seccomp":                 {drop("syscalls"), more("empty", "syscalls", object{"defaultAction": "SCMP_ACT_ALLOW"})},
	"linux.seccomp.defaultAction":   {more("allow", "syscalls", "SCMP_ACT_ALLOW"), more("log", "syscalls", "SCMP_ACT_LOG"), more("trace", "syscalls", "SCMP_ACT_TRACE"), more("notify", "syscalls", "SCMP_ACT_NOTIFY")},
	"linux.seccomp.defaultErrnoRet": {more("success", "syscalls", 0)},
	"linux.seccomp.architectures":   {appended("i386", "syscalls", "SCMP_ARCH_X86"), appended("x32", "syscalls", "SCMP_ARCH_X32")},
	"linux.seccomp.architectures[]": {more("another", "syscalls", "SCMP_ARCH_AARCH64")},
	"linux.seccomp.flags+":          {more("speculation", "syscalls", []any{"SECCOMP_FILTER_FLAG_SPEC_ALLOW"})},
	"linux.seccomp.listenerPath+":   {more("one", "syscalls", "/run/listener")},
	"linux.seccomp.syscalls":        {appended("bpf", "syscalls", object{"names": []any{"bpf"}, "action": "SCMP_ACT_ALLOW"}), appended("a call that succeeds", "syscalls", object{"names": []any{"landlock_restrict_self"}, "action": "SCMP_ACT_ERRNO", "errnoRet": 0})},
	"linux.seccomp.syscalls[]": {
		inAllowed("another call", func(o object) { o["names"] = []any{"kexec_load"} }),
		inAllowed("a call more", func(o object) { o["names"] = append(slices.Clone(o["names"].([]any)), "ptrace") }),
		{"any arguments", "syscalls", func(v any) (any, bool) {
			o := maps.Clone(v.(object))
			_, has := o["args"]
			delete(o, "args")
			return o, has
		}},
		{"success without the call", "syscalls", func(v any) (any, bool) {
			o := maps.Clone(v.(object))
			o["errnoRet"] = 0
			return o, o["action"] == "SCMP_ACT_ERRNO"
		}},
		{"the call", "syscalls", func(v any) (any, bool) {
			o := maps.Clone(v.(object))
			delete(o, "errnoRet")
			was := o["action"]
			o["action"] = "SCMP_ACT_ALLOW"
			return o, was == "SCMP_ACT_ERRNO"
		}},
	},
	"linux.seccomp.syscalls[].args[]": {drop("syscalls"), {"another value", "syscalls", func(v any) (any, bool) {
		o := maps.Clone(v.(object))
		switch n := number(o["value"]); {
		case o["op"] != "SCMP_CMP_MASKED_EQ":
			o["value"] = n + 1<<33
		case n&(1<<28) != 0:
			o["value"] = n &^ (1 << 28) // a mask that looks at fewer bits
		default:
			o["value"] = 0
		}
		return o, true
	}}},
	// See the rule and the argument as a whole.
	"linux.seccomp.syscalls[].names":           nil,
	"linux.seccomp.syscalls[].names[]":         nil,
	"linux.seccomp.syscalls[].action":          nil,
	"linux.seccomp.syscalls[].errnoRet":        nil,
	"linux.seccomp.syscalls[].args":            nil,
	"linux.seccomp.syscalls[].args[].index":    nil,
	"linux.seccomp.syscalls[].args[].op":       nil,
	"linux.seccomp.syscalls[].args[].value":    nil,
	"linux.seccomp.syscalls[].args[].valueTwo": nil,

	"hooks+": {
		more("prestart", "hooks", object{"prestart": hook("/bin/sh")}), more("createRuntime", "hooks", object{"createRuntime": hook("/bin/sh")}),
		more("createContainer", "hooks", object{"createContainer": hook("/bin/sh")}), more("startContainer", "hooks", object{"startContainer": hook("/usr/bin/service")}),
		more("poststart", "hooks", object{"poststart": hook("/bin/sh")}), more("poststop", "hooks", object{"poststop": hook("/bin/sh")}),
		more("relative", "hooks", object{"poststop": hook("sh")}),
	},
	"annotations+": {
		more("a raw filter", "annotations", object{"run.oci.seccomp_bpf_data": "AAAA"}), more("a property", "annotations", object{"org.systemd.property.DeviceAllow": "x"}),
		more("a handler", "annotations", object{"run.oci.handler": "krun"}), more("a bundle", "annotations", object{"bundle": "/tmp"}),
	},
	"vm+":         {more("one", "unknown", object{"kernel": object{"path": "/x"}})},
	"windows+":    {more("one", "unknown", object{"layerFolders": []any{"x"}})},
	"solaris+":    {more("one", "unknown", object{"limitpriv": "all"})},
	"zos+":        {more("one", "unknown", object{})},
	"privileged+": {more("unknown", "unknown", true)},
	"Process+":    {more("in another case", "unknown", object{"noNewPrivileges": false})},
}
