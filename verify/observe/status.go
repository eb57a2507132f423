package observe

import (
	"bytes"
	"fmt"
	"io"
	"math/bits"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

const (
	// maxStatus bounds /proc/PID/status, in bytes. The list of groups is its only
	// long line: at most 65536 (NGROUPS_MAX) numbers of ten digits.
	maxStatus = 1 << 20
	// maxGroups is NGROUPS_MAX of include/uapi/linux/limits.h.
	maxGroups = 65536
)

// A SeccompMode is the mode of a thread's filter, as prctl(PR_GET_SECCOMP)
// numbers it.
type SeccompMode int

// The modes of seccomp(2).
const (
	SeccompDisabled SeccompMode = 0
	SeccompStrict   SeccompMode = 1
	SeccompFilter   SeccompMode = 2
)

// IDs are the four user or group ids of credentials(7).
type IDs struct {
	Real, Effective, Saved, Filesystem uint32
}

// A Status is what the kernel says of one process: its program, and the
// credentials and walls of its first thread, as seen from the caller's user
// namespace.
//
// Source: Linux fs/proc/array.c, proc_pid_status; proc_pid_status(5),
// proc_pid_exe(5).
type Status struct {
	// PID is the id in the caller's namespace.
	PID        int
	NoNewPrivs bool
	Seccomp    SeccompMode
	// The capability sets, as kernel names in the order of their numbers
	// ("CAP_CHOWN"); a bit without a name is "CAP_" and its number.
	Inheritable, Permitted, Effective, Bounding, Ambient []string
	UID, GID                                             IDs
	// Groups are the supplementary groups as the kernel lists them; nil for none.
	Groups []uint32
	// Umask is of the file mode creation mask's nine bits.
	Umask uint32
	// Executable is the resolved path of the program, as seen from the process's
	// own root directory. It is empty when the program lies outside, and Outside
	// says so.
	Executable, Outside string
}

// ReadStatus reads the status of a live process. It is an error if the process
// ended before all was read, so that the answer never is of another process
// that got its id meanwhile.
func ReadStatus(pid int) (Status, error) {
	pidfd, err := unix.PidfdOpen(pid, 0)
	if err != nil {
		return Status{}, fmt.Errorf("read status of process %d: %w", pid, err)
	}
	defer unix.Close(pidfd)
	b, err := readAll(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return Status{}, fmt.Errorf("read status of process %d: %w", pid, err)
	}
	executable, outside, err := readExecutable(pid)
	if err != nil {
		return Status{}, fmt.Errorf("read program of process %d: %w", pid, err)
	}
	// The id was this process's before the reading and, unless it has been reaped,
	// still is.
	if err := unix.PidfdSendSignal(pidfd, 0, nil, 0); err != nil {
		return Status{}, fmt.Errorf("read status of process %d: it has ended: %w", pid, err)
	}
	s, err := parseStatus(b)
	if err != nil {
		return Status{}, fmt.Errorf("read status of process %d: %w", pid, err)
	}
	if s.PID != pid {
		return Status{}, fmt.Errorf("read status of process %d: /proc shows process %d; mount the proc of this pid namespace", pid, s.PID)
	}
	s.Executable, s.Outside = executable, outside
	return s, nil
}

func readAll(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxStatus+1))
	if err == nil && len(b) > maxStatus {
		err = fmt.Errorf("longer than %d bytes", maxStatus)
	}
	return b, err
}

// parseStatus reads the text. Each field that Status has must be there, once;
// others are of no concern here. A zombie has no umask line: it is an error.
func parseStatus(b []byte) (Status, error) {
	var s Status
	fields := map[string]func(string) error{
		"Tgid":       func(v string) (err error) { s.PID, err = decimal(v); return },
		"NoNewPrivs": func(v string) (err error) { s.NoNewPrivs, err = flag(v); return },
		"Seccomp":    func(v string) (err error) { s.Seccomp, err = mode(v); return },
		"CapInh":     func(v string) (err error) { s.Inheritable, err = capabilities(v); return },
		"CapPrm":     func(v string) (err error) { s.Permitted, err = capabilities(v); return },
		"CapEff":     func(v string) (err error) { s.Effective, err = capabilities(v); return },
		"CapBnd":     func(v string) (err error) { s.Bounding, err = capabilities(v); return },
		"CapAmb":     func(v string) (err error) { s.Ambient, err = capabilities(v); return },
		"Uid":        func(v string) (err error) { s.UID, err = ids(v); return },
		"Gid":        func(v string) (err error) { s.GID, err = ids(v); return },
		"Groups":     func(v string) (err error) { s.Groups, err = groups(v); return },
		"Umask":      func(v string) (err error) { s.Umask, err = umask(v); return },
	}
	// A process chooses its Name, but cannot forge a line: the kernel escapes
	// newlines in it (proc_task_name).
	seen := make(map[string]bool, len(fields))
	for line := range bytes.Lines(b) {
		text, complete := strings.CutSuffix(string(line), "\n")
		name, value, found := strings.Cut(text, ":")
		if !complete || !found {
			return Status{}, fmt.Errorf("malformed line %.64q", line)
		}
		parse, wanted := fields[name]
		if !wanted {
			continue
		}
		if seen[name] {
			return Status{}, fmt.Errorf("field %s is there twice", name)
		}
		seen[name] = true
		if err := parse(strings.TrimPrefix(value, "\t")); err != nil {
			return Status{}, fmt.Errorf("field %s: %w", name, err)
		}
	}
	for name := range fields {
		if !seen[name] {
			return Status{}, fmt.Errorf("%d of %d fields are missing, such as %s: the process has ended, or the kernel is too old", len(fields)-len(seen), len(fields), name)
		}
	}
	return s, nil
}

func decimal(v string) (int, error) {
	n, err := strconv.ParseUint(v, 10, 31)
	if err != nil || strconv.FormatUint(n, 10) != v {
		return 0, fmt.Errorf("%.64q is not a number", v)
	}
	return int(n), nil
}

func id(v string) (uint32, error) {
	n, err := strconv.ParseUint(v, 10, 32)
	if err != nil || strconv.FormatUint(n, 10) != v {
		return 0, fmt.Errorf("%.64q is not an id", v)
	}
	return uint32(n), nil
}

func flag(v string) (bool, error) {
	if v != "0" && v != "1" {
		return false, fmt.Errorf("%.64q is neither 0 nor 1", v)
	}
	return v == "1", nil
}

func mode(v string) (SeccompMode, error) {
	n, err := decimal(v)
	if err == nil && n > int(SeccompFilter) {
		err = fmt.Errorf("unknown mode %d", n)
	}
	return SeccompMode(n), err
}

func ids(v string) (IDs, error) {
	parts := strings.Split(v, "\t")
	var n [4]uint32
	if len(parts) != len(n) {
		return IDs{}, fmt.Errorf("%d ids, want 4", len(parts))
	}
	for i, p := range parts {
		var err error
		if n[i], err = id(p); err != nil {
			return IDs{}, err
		}
	}
	return IDs{n[0], n[1], n[2], n[3]}, nil
}

func groups(v string) ([]uint32, error) {
	var all []uint32
	for p := range strings.FieldsSeq(v) {
		n, err := id(p)
		if err != nil {
			return nil, err
		}
		if all = append(all, n); len(all) > maxGroups {
			return nil, fmt.Errorf("more than %d groups", maxGroups)
		}
	}
	return all, nil
}

func umask(v string) (uint32, error) {
	n, err := strconv.ParseUint(v, 8, 32)
	if err != nil || n > 0o777 || fmt.Sprintf("%04o", n) != v {
		return 0, fmt.Errorf("%.64q is not a mask of four octal digits", v)
	}
	return uint32(n), nil
}

func capabilities(v string) ([]string, error) {
	set, err := strconv.ParseUint(v, 16, 64)
	if err != nil || fmt.Sprintf("%016x", set) != v {
		return nil, fmt.Errorf("%.64q is not a capability set of 16 hexadecimal digits", v)
	}
	var names []string
	for ; set != 0; set &= set - 1 {
		names = append(names, capabilityName(bits.TrailingZeros64(set)))
	}
	return names, nil
}
