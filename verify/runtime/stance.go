package runtime

import (
	"fmt"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// maxProcStatus bounds /proc/PID/status, in bytes: at most 65536 groups of ten
// digits.
const maxProcStatus = 1 << 20

// A stance is what a process does about a signal that is sent to it.
type stance int

const (
	// taken: a handler catches it, or it is blocked and read from a signalfd(2).
	taken stance = iota
	// untaken: it is ignored, or an earlier one still waits to be read, or it is
	// not known to be taken.
	untaken
	// byDefault: nothing was arranged. It would end any process but the first of
	// a pid namespace, for which the kernel drops it (pid_namespaces(7)).
	byDefault
)

// stanceOf reads what a live process does about a signal. The process is a
// child that has not been reaped, so that the id cannot be another's.
func stanceOf(pid int, s syscall.Signal) stance {
	first := readStance(pid, s)
	if first != byDefault {
		return first
	}
	// While its leader is in sigwait(3), a signal that it waits for looks as if
	// nothing was arranged: it is unblocked for as long as that. Whether it has
	// come back from there meanwhile, only a second look shows.
	b, err := readFile(fmt.Sprintf("/proc/%d/syscall", pid), maxProcStatus)
	if err != nil || strings.HasPrefix(string(b), strconv.Itoa(unix.SYS_RT_SIGTIMEDWAIT)+" ") {
		return untaken
	}
	return readStance(pid, s)
}

func readStance(pid int, s syscall.Signal) stance {
	b, err := readFile(fmt.Sprintf("/proc/%d/status", pid), maxProcStatus)
	if err != nil {
		return untaken
	}
	return parseStance(string(b), s)
}

// parseStance reads the signal sets of proc_pid_status(5). Those of the leader
// count: the kernel asks it alone whether to drop a process's signal (Linux
// kernel/signal.c, sig_ignored).
func parseStance(status string, s syscall.Signal) stance {
	sets := map[string]bool{}
	for line := range strings.Lines(status) {
		name, value, _ := strings.Cut(line, ":\t")
		switch name {
		case "ShdPnd", "SigBlk", "SigIgn", "SigCgt":
			set, err := strconv.ParseUint(strings.TrimSuffix(value, "\n"), 16, 64)
			if err != nil {
				return untaken
			}
			sets[name] = set>>(s-1)&1 == 1
		}
	}
	switch {
	case len(sets) < 4, sets["SigIgn"]:
		return untaken
	case sets["SigCgt"]:
		return taken
	case sets["SigBlk"] && sets["ShdPnd"]:
		return untaken
	case sets["SigBlk"]:
		return taken
	}
	return byDefault
}
