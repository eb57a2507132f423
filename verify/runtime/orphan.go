package runtime

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"
)

// maxArgs bounds what is read of a process's arguments, in bytes: more than a
// runtime is given here.
const maxArgs = 1 << 16

// endOrphans kills the runtimes that a killed run had called for a bundle, and
// waits until they are gone. The kernel has been told to kill them with the
// run, but not to wait: what they are still doing would come behind the
// cleaning up.
func endOrphans(log string) error {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return fmt.Errorf("find runtime: %w", err)
	}
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil || pid == os.Getpid() || !calledFor(pid, log) {
			continue
		}
		fd, err := unix.PidfdOpen(pid, 0)
		if err != nil {
			continue // gone
		}
		// Asked again, it is the process of the descriptor that answers.
		if calledFor(pid, log) {
			unix.PidfdSendSignal(fd, unix.SIGKILL, nil, 0)
			err = waitDead(fd, killWait)
		}
		unix.Close(fd)
		if err != nil {
			return fmt.Errorf("end runtime: %w", err)
		}
	}
	return nil
}

// calledFor reports whether a process of root was started with this log, as
// engine.command does: the log's path names the bundle.
func calledFor(pid int, log string) bool {
	dir := filepath.Join("/proc", strconv.Itoa(pid))
	info, err := os.Lstat(dir)
	if err != nil {
		return false
	}
	if st, ok := info.Sys().(*syscall.Stat_t); !ok || st.Uid != 0 {
		return false
	}
	args, err := readFile(filepath.Join(dir, "cmdline"), maxArgs) // empty once it is dying
	return err == nil && bytes.Contains(args, []byte("\x00--log\x00"+log+"\x00"))
}
