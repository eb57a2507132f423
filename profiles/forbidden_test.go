package profiles

import (
	"slices"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/immure-dev/immure/harden"
)

// forbiddenUses are calls that are let through for other arguments.
var forbiddenUses = map[string]struct {
	call string
	args []uint64
}{
	"AF_ALG socket":               {"socket", []uint64{unix.AF_ALG, unix.SOCK_SEQPACKET, 0}},
	"AF_ALG stream":               {"socket", []uint64{unix.AF_ALG, unix.SOCK_STREAM, 0}},
	"AF_PACKET socket":            {"socket", []uint64{unix.AF_PACKET, unix.SOCK_RAW, 0x300}},
	"AF_PACKET datagrams":         {"socket", []uint64{unix.AF_PACKET, unix.SOCK_DGRAM, 0}},
	"AF_VSOCK socket":             {"socket", []uint64{unix.AF_VSOCK, unix.SOCK_STREAM, 0}},
	"AF_NETLINK socket":           {"socket", []uint64{unix.AF_NETLINK, unix.SOCK_RAW | unix.SOCK_CLOEXEC, unix.NETLINK_ROUTE}},
	"netfilter socket":            {"socket", []uint64{unix.AF_NETLINK, unix.SOCK_DGRAM, unix.NETLINK_NETFILTER}},
	"AF_XDP socket":               {"socket", []uint64{unix.AF_XDP, unix.SOCK_RAW, 0}},
	"AF_KEY socket":               {"socket", []uint64{unix.AF_KEY, unix.SOCK_RAW, 2}},
	"AF_BLUETOOTH socket":         {"socket", []uint64{unix.AF_BLUETOOTH, unix.SOCK_RAW, 1}},
	"AF_CAN socket":               {"socket", []uint64{unix.AF_CAN, unix.SOCK_RAW, 1}},
	"AF_RDS socket":               {"socket", []uint64{unix.AF_RDS, unix.SOCK_SEQPACKET, 0}},
	"AF_TIPC socket":              {"socket", []uint64{unix.AF_TIPC, unix.SOCK_SEQPACKET, 0}},
	"AF_QIPCRTR socket":           {"socket", []uint64{unix.AF_QIPCRTR, unix.SOCK_DGRAM, 0}},
	"raw socket":                  {"socket", []uint64{unix.AF_INET, unix.SOCK_RAW, unix.IPPROTO_ICMP}},
	"raw socket, close on exec":   {"socket", []uint64{unix.AF_INET6, unix.SOCK_RAW | unix.SOCK_CLOEXEC, unix.IPPROTO_RAW}},
	"ping socket":                 {"socket", []uint64{unix.AF_INET, unix.SOCK_DGRAM, unix.IPPROTO_ICMP}},
	"SCTP socket":                 {"socket", []uint64{unix.AF_INET, unix.SOCK_STREAM, unix.IPPROTO_SCTP}},
	"SCTP sequenced packets":      {"socket", []uint64{unix.AF_INET, unix.SOCK_SEQPACKET, unix.IPPROTO_SCTP}},
	"DCCP socket":                 {"socket", []uint64{unix.AF_INET, unix.SOCK_DCCP, unix.IPPROTO_DCCP}},
	"MPTCP socket":                {"socket", []uint64{unix.AF_INET, unix.SOCK_STREAM, unix.IPPROTO_MPTCP}},
	"L2TP socket":                 {"socket", []uint64{unix.AF_INET, unix.SOCK_DGRAM, 115}},
	"UDP-Lite socket":             {"socket", []uint64{unix.AF_INET, unix.SOCK_DGRAM, unix.IPPROTO_UDPLITE}},
	"packet filter":               {"setsockopt", []uint64{3, unix.SOL_SOCKET, unix.SO_ATTACH_FILTER}},
	"packet filter in eBPF":       {"setsockopt", []uint64{3, unix.SOL_SOCKET, unix.SO_ATTACH_BPF}},
	"TCP upper layer protocol":    {"setsockopt", []uint64{3, unix.IPPROTO_TCP, unix.TCP_ULP}},
	"TCP repair":                  {"setsockopt", []uint64{3, unix.IPPROTO_TCP, unix.TCP_REPAIR}},
	"netfilter table":             {"setsockopt", []uint64{3, unix.IPPROTO_IP, 64}},
	"new mount namespace":         {"clone", []uint64{unix.CLONE_NEWNS | 17}},
	"new user namespace":          {"clone", []uint64{unix.CLONE_NEWUSER | 17}},
	"new pid namespace":           {"clone", []uint64{unix.CLONE_NEWPID | 17}},
	"new network namespace":       {"clone", []uint64{unix.CLONE_NEWNET | 17}},
	"new ipc namespace":           {"clone", []uint64{unix.CLONE_NEWIPC | 17}},
	"new uts namespace":           {"clone", []uint64{unix.CLONE_NEWUTS | 17}},
	"new cgroup namespace":        {"clone", []uint64{unix.CLONE_NEWCGROUP | 17}},
	"thread in a user namespace":  {"clone", []uint64{unix.CLONE_NEWUSER | unix.CLONE_THREAD}},
	"clone3":                      {"clone3", []uint64{1, 88}},
	"characters into a terminal":  {"ioctl", []uint64{0, unix.TIOCSTI}},
	"selection of a console":      {"ioctl", []uint64{0, unix.TIOCLINUX}},
	"terminal with high bits":     {"ioctl", []uint64{0, unix.TIOCSTI | 1<<32}},
	"terminal taken over":         {"ioctl", []uint64{0, unix.TIOCSCTTY}},
	"personality":                 {"personality", []uint64{0x0040000}},
	"personality of 32 bits":      {"personality", []uint64{8}},
	"every read executable":       {"personality", []uint64{0x0400000}},
	"memory write and execute":    {"mmap", []uint64{0, 4096, unix.PROT_READ | unix.PROT_WRITE | unix.PROT_EXEC}},
	"memory made executable":      {"mprotect", []uint64{0x1000, 4096, unix.PROT_READ | unix.PROT_EXEC}},
	"stack made executable":       {"mprotect", []uint64{0x1000, 4096, unix.PROT_READ | unix.PROT_WRITE | unix.PROT_EXEC | unix.PROT_GROWSDOWN}},
	"own filter":                  {"prctl", []uint64{unix.PR_SET_SECCOMP, 2}},
	"ambient capability":          {"prctl", []uint64{unix.PR_CAP_AMBIENT, 2}},
	"capabilities kept":           {"prctl", []uint64{unix.PR_SET_KEEPCAPS, 1}},
	"traced by anyone":            {"prctl", []uint64{unix.PR_SET_PTRACER, ^uint64(0)}},
	"memory map moved":            {"prctl", []uint64{unix.PR_SET_MM, 1}},
	"filters off":                 {"prctl", []uint64{unix.PR_SET_SYSCALL_USER_DISPATCH, 1}},
	"limits of another process":   {"prlimit64", []uint64{1, unix.RLIMIT_NOFILE}},
	"segment of another thread":   {"arch_prctl", []uint64{0x1001}},
	"file lease":                  {"fcntl", []uint64{3, unix.F_SETLEASE}},
	"directory notification":      {"fcntl", []uint64{3, unix.F_NOTIFY}},
	"signal of one's own choice":  {"fcntl", []uint64{3, unix.F_SETSIG}},
	"socket pair of another kind": {"socketpair", []uint64{unix.AF_TIPC, unix.SOCK_SEQPACKET, 0}},
}

// policies are all that the package gives out as a service's.
func policies(t *testing.T) map[string]harden.Syscalls {
	t.Helper()
	all := map[string]harden.Syscalls{"server": Base("server").Syscalls, "job without a profile": Base("job").Syscalls}
	for _, name := range Names() {
		p, err := Get(name)
		if err != nil {
			t.Fatal(err)
		}
		strict, err := Strict(p.Boundary)
		if err != nil {
			t.Fatal(err)
		}
		all[name], all[name+", strict"] = p.Boundary.Syscalls, strict.Syscalls
		other, err := GetFor(name, "aarch64")
		if err != nil {
			t.Fatal(err)
		}
		all[name+" on aarch64"] = other.Boundary.Syscalls
	}
	return all
}

// permits evaluates a policy as the kernel would: a call is let through when a
// rule that lets through matches, or none matches and the fallback does.
func permits(s harden.Syscalls, call string, args []uint64) bool {
	matched := false
	for _, r := range s.Rules() {
		if !slices.Contains(r.Names, call) || !matches(r.Args, args) {
			continue
		}
		if r.Action.Permits() {
			return true
		}
		matched = true
	}
	return !matched && s.Fallback().Permits()
}

func matches(conditions []harden.SyscallArg, args []uint64) bool {
	for _, c := range conditions {
		var x uint64
		if int(c.Index) < len(args) {
			x = args[c.Index]
		}
		v, m := c.Value, c.Masked
		switch {
		case c.Op == "eq" && x != v, c.Op == "maskedEq" && x&v != m:
			return false
		case c.Op != "eq" && c.Op != "maskedEq":
			panic("the catalogue has no condition " + c.Op)
		}
	}
	return true
}

func TestNothingForbidden(t *testing.T) {
	for name, s := range policies(t) {
		if s.IsUnconfined() || s.Fallback() != harden.Errno(eperm) {
			t.Errorf("%s: what no rule names is answered %s", name, s.Fallback())
		}
		if n := len(s.Architectures()); n != 1 {
			t.Errorf("%s: calls of %d architectures, %q", name, n, s.Architectures())
		}
		for call, d := range dangerData() {
			for _, r := range s.Rules() {
				// One that is answered an error is refused with it.
				if slices.Contains(r.Names, call) && (!d.ByArguments || len(r.Args) == 0 && r.Action.Permits()) {
					t.Errorf("%s has a rule for %s: %s", name, call, d.Why)
				}
			}
		}
		if got := DangerousIn(s); got != nil {
			t.Errorf("%s lets through %q", name, got)
		}
		for what, use := range forbiddenUses {
			if permits(s, use.call, use.args) {
				t.Errorf("%s lets through %s: %s%v", name, what, use.call, use.args)
			}
		}
	}
}

// Every use that is forbidden is of a call that is known to be dangerous, so
// that nobody gets it by stating the call.
func TestDangerous(t *testing.T) {
	for what, use := range forbiddenUses {
		if why, ok := Dangerous(use.call); !ok || why == "" {
			t.Errorf("%s: %s is not known to be dangerous", what, use.call)
		}
	}
	for _, call := range []string{"mount", "bpf", "io_uring_setup", "userfaultfd", "keyctl", "kexec_load", "ptrace", "setns"} {
		if _, ok := Dangerous(call); !ok {
			t.Errorf("%s is not known to be dangerous", call)
		}
	}
	for _, call := range []string{"read", "getcpu", "mincore", "no_such_call"} {
		if why, ok := Dangerous(call); ok {
			t.Errorf("%s is dangerous: %s", call, why)
		}
	}
	s := harden.NewSyscalls([]string{"x86_64"}, harden.Errno(eperm),
		harden.SyscallRule{Names: []string{"socket"}, Action: harden.Allow, Args: []harden.SyscallArg{harden.NewSyscallArg(0, "eq", unix.AF_INET)}},
		harden.SyscallRule{Names: []string{"bpf"}, Action: harden.Allow, Args: []harden.SyscallArg{harden.NewSyscallArg(0, "eq", 0)}},
		harden.SyscallRule{Names: []string{"ioctl", "read"}, Action: harden.Allow},
		harden.SyscallRule{Names: []string{"mount"}, Action: harden.Errno(eperm)})
	if got := DangerousIn(s); !slices.Equal(got, []string{"bpf", "ioctl"}) {
		t.Errorf("dangerous in a policy: %q", got)
	}
}

// The evaluation above sees a grant where there is one.
func TestPermits(t *testing.T) {
	s := policies(t)["nginx, strict"]
	for call, args := range map[string][]uint64{
		"read": nil, "execve": nil,
		"socket":     {unix.AF_INET, unix.SOCK_STREAM | unix.SOCK_CLOEXEC | unix.SOCK_NONBLOCK, unix.IPPROTO_TCP},
		"clone":      {17},
		"mmap":       {0, 4096, unix.PROT_READ | unix.PROT_EXEC},
		"mprotect":   {0, 4096, unix.PROT_READ},
		"setsockopt": {3, unix.IPPROTO_TCP, unix.TCP_NODELAY},
	} {
		if !permits(s, call, args) {
			t.Errorf("nginx may not %s%v", call, args)
		}
	}
	wide := DockerDefault()
	if !slices.Contains(wide.Allowed(), "ptrace") || slices.Contains(wide.Allowed(), "mount") {
		t.Error("Docker's default is not the one that is known")
	}
}

// A job has no sockets, a Go service makes no processes, and only a runtime's
// floor executes anything.
func TestKindsDiffer(t *testing.T) {
	all := policies(t)
	for _, call := range []string{"socket", "socketpair", "bind", "listen", "accept4", "connect"} {
		if slices.Contains(all["job"].Allowed(), call) {
			t.Errorf("a job may %s", call)
		}
	}
	if permits(all["go-static"], "clone", []uint64{17}) || permits(all["go-static"], "mmap", []uint64{0, 4096, unix.PROT_EXEC}) {
		t.Error("go-static may fork, or map executable memory")
	}
	for _, name := range Names() {
		if calls := all[name].Allowed(); slices.Contains(calls, "execve") || slices.Contains(calls, "execveat") {
			t.Errorf("%s may execute other programs", name)
		}
	}
}
