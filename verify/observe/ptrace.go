package observe

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Source: Linux include/uapi/asm-generic/siginfo.h.
const (
	codeExited = 1 // CLD_EXITED
	codeKilled = 2 // CLD_KILLED
	codeDumped = 3 // CLD_DUMPED
)

// A childInfo is the kernel's siginfo_t of SIGCHLD on 64-bit machines, of which
// x/sys/unix shows the beginning only.
//
// Source: Linux include/uapi/asm-generic/siginfo.h, __sifields._sigchld.
type childInfo struct {
	signo, errno, code, _ int32
	pid                   int32
	uid                   uint32
	status                int32
	_                     [100]byte
}

// waitStop is waitid(2) for one child. Without a report and with WNOHANG the
// stop is empty.
func waitStop(pid, options int) (stop, error) {
	for {
		var info childInfo
		err := unix.Waitid(unix.P_PID, pid, (*unix.Siginfo)(unsafe.Pointer(&info)), options, nil)
		if err == unix.EINTR {
			continue
		}
		if err != nil {
			return stop{}, err
		}
		switch info.code {
		case codeExited:
			return stop{ended: true, status: unix.WaitStatus(info.status << 8)}, nil
		case codeKilled, codeDumped:
			return stop{ended: true, status: unix.WaitStatus(info.status)}, nil
		}
		return stop{event: int(info.status) >> 8, signal: int(info.status) & 0x7f}, nil
	}
}

// ptrace makes the requests for which x/sys/unix has no function.
func ptrace(request, pid int, data uintptr) error {
	_, _, errno := unix.Syscall6(unix.SYS_PTRACE, uintptr(request), uintptr(pid), 0, data, 0, 0)
	if errno != 0 {
		return errno
	}
	return nil
}

const yamaScope = "/proc/sys/kernel/yama/ptrace_scope"

// whyNot says what to do about a process that cannot be traced.
func whyNot(err error, pid int) error {
	if err != unix.EPERM {
		return err
	}
	scope, _ := os.ReadFile(yamaScope) // absent where the kernel has no Yama
	tracer := 0
	status, _ := readAll(fmt.Sprintf("/proc/%d/status", pid))
	for line := range strings.Lines(string(status)) {
		if text, found := strings.CutPrefix(line, "TracerPid:\t"); found {
			tracer, _ = strconv.Atoi(strings.TrimSuffix(text, "\n"))
		}
	}
	return refusedTrace(strings.TrimSpace(string(scope)), tracer)
}

// refusedTrace explains EPERM by Yama's mode and by the id of the process that
// traces already, 0 for none.
//
// Source: Linux Documentation/admin-guide/LSM/Yama.rst; kernel/ptrace.c,
// ptrace_attach.
func refusedTrace(scope string, tracer int) error {
	switch {
	case tracer > 0:
		return fmt.Errorf("process %d traces it already; run without strace -f or a debugger: %w", tracer, unix.EPERM)
	case scope == "3":
		return fmt.Errorf("this kernel lets nobody trace until it boots again; remove kernel.yama.ptrace_scope = 3 from /etc/sysctl.d (2 will do) and boot: %w", unix.EPERM)
	}
	return fmt.Errorf("CAP_SYS_PTRACE is missing, or a security module forbids it; run as a root that has it (in a container: --cap-add SYS_PTRACE): %w", unix.EPERM)
}
