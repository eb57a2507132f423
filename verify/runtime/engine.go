package runtime

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

const (
	// maxLog bounds what is read of a runtime's log, in bytes.
	maxLog = 1 << 16
	// maxPIDFile bounds the runtime's pid file, in bytes.
	maxPIDFile = 32
)

// An engine is an OCI runtime with the state directory that it is given.
type engine struct {
	path string // absolute
	root string // --root
}

// findRuntime returns the absolute path of the runtime to use.
func findRuntime(path string) (string, error) {
	if path == "" {
		for _, name := range []string{"runc", "crun"} {
			if p, err := exec.LookPath(name); err == nil {
				path = p
				break
			}
		}
		if path == "" {
			return "", errors.New("find OCI runtime: neither runc nor crun in PATH; install one: apt-get install runc")
		}
	}
	abs, err := filepath.Abs(path)
	if err != nil {
		return "", fmt.Errorf("find OCI runtime %q: %w", path, err)
	}
	real, err := filepath.EvalSymlinks(abs)
	if err != nil {
		return "", fmt.Errorf("find OCI runtime: %w; install one: apt-get install runc", err)
	}
	if filepath.Base(real) == "crun" && !unifiedCgroups() {
		return "", fmt.Errorf("use OCI runtime %q: crun needs cgroup v2 alone and this host mounts cgroup v1; use runc: apt-get install runc", abs)
	}
	return abs, nil
}

// unifiedCgroups reports whether the host has cgroup v2 alone.
func unifiedCgroups() bool {
	var st unix.Statfs_t
	return unix.Statfs(cgroupRoot, &st) == nil && st.Type == unix.CGROUP2_SUPER_MAGIC
}

// command prepares a call of the runtime. It dies with the calling thread,
// which the caller therefore locks.
//
// The environment is not handed on: LISTEN_FDS and NOTIFY_SOCKET would open
// doors into the container that config.json does not state. One processor is
// enough for what a runtime does, and spares runc the waking of threads, which
// costs a fifth of a create; the service does not see the variable.
func (e engine) command(log string, args ...string) *exec.Cmd {
	all := []string{e.path, "--root", e.root, "--log", log, "--log-format", "json"}
	return &exec.Cmd{
		Path: e.path,
		Args: append(all, args...),
		Dir:  "/",
		Env:  []string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "GOMAXPROCS=1"},
		SysProcAttr: &syscall.SysProcAttr{
			Setpgid:   true, // a terminal's signals are ours to forward
			Pdeathsig: syscall.SIGKILL,
		},
	}
}

// do calls the runtime and puts the reason that its log gives into the error.
func (e engine) do(log string, args ...string) error {
	cmd := e.command(log, args...)
	return e.explain(args[0], log, cmd.Run(), false)
}

// explain puts the reason of a failed call into its error. One that was told
// has been written by the runtime to a standard error that its caller sees.
func (e engine) explain(verb, log string, err error, told bool) error {
	if err == nil {
		return nil
	}
	name := filepath.Base(e.path)
	reason := lastError(log)
	switch {
	case reason == "":
		return fmt.Errorf("%s %s: %w and no reason given; if %q is no OCI runtime, use runc: apt-get install runc", name, verb, err, e.path)
	case told:
		return fmt.Errorf("%s %s failed, for the reason it gave above", name, verb)
	case strings.HasPrefix(reason, name+" "+verb):
		return errors.New(reason)
	}
	return fmt.Errorf("%s %s: %s", name, verb, reason)
}

// lastError is the last message of level error in a runtime's JSON log, on one
// line, or empty.
func lastError(path string) string {
	f, err := os.Open(path)
	if err != nil {
		return ""
	}
	defer f.Close()
	if info, err := f.Stat(); err == nil && info.Size() > maxLog {
		f.Seek(-maxLog, io.SeekEnd)
	}
	var last string
	lines := bufio.NewScanner(io.LimitReader(f, maxLog))
	lines.Buffer(nil, maxLog)
	for lines.Scan() {
		var entry struct {
			Level string `json:"level"`
			Msg   string `json:"msg"`
		}
		if json.Unmarshal(lines.Bytes(), &entry) == nil && (entry.Level == "error" || entry.Level == "fatal") {
			last = entry.Msg
		}
	}
	return strings.Join(strings.Fields(last), " ")
}

var errNoPID = errors.New("read pid of container: the runtime wrote none")

// readPID reads the file that the runtime wrote for --pid-file.
func readPID(path string) (int, error) {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return 0, errNoPID
	}
	if err != nil {
		return 0, fmt.Errorf("read pid of container: %w", err)
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxPIDFile))
	if err != nil {
		return 0, fmt.Errorf("read pid of container: %w", err)
	}
	pid, err := strconv.Atoi(string(bytes.TrimSpace(b)))
	if err != nil || pid <= 1 {
		return 0, fmt.Errorf("read pid of container: %q is not a process id", b)
	}
	return pid, nil
}
