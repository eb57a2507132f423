package runtime

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// maxArgs bounds what is read of a process's arguments and of its environment,
// in bytes: more than a runtime is given here.
const maxArgs = 1 << 16

// An orphan is a process that a killed run had set to work on a container, and
// that is in no cgroup of the container's yet: the runtime, by the log that
// names the bundle; or runc's first process inside, by the directory of its
// state (libcontainer/container_linux.go, newParentProcess). The kernel was told
// to kill the runtime with the run but not to wait, and the other ends by itself
// when it misses the runtime: what they still do would come behind the cleaning
// up.
type orphan struct {
	log string
	own string
}

// end kills the orphans and waits until they are gone.
func (o orphan) end() error {
	for range killRounds {
		n, err := o.endSome()
		if err != nil {
			return fmt.Errorf("end runtime: %w", err)
		}
		if n == 0 {
			return nil
		}
	}
	return errors.New("end runtime: its processes multiply faster than they can be killed")
}

func (o orphan) endSome() (n int, err error) {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return 0, err
	}
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil || pid == os.Getpid() || !o.is(pid) {
			continue
		}
		fd, err := unix.PidfdOpen(pid, 0)
		if err != nil {
			continue // gone
		}
		// Asked again, it is the process of the descriptor that answers.
		if o.is(pid) {
			n++
			unix.PidfdSendSignal(fd, unix.SIGKILL, nil, 0)
			err = waitDead(fd, killWait)
		}
		unix.Close(fd)
		if err != nil {
			return n, err
		}
	}
	return n, nil
}

// is believes only processes of root's: others may call themselves anything.
func (o orphan) is(pid int) bool {
	dir := filepath.Join("/proc", strconv.Itoa(pid))
	info, err := os.Lstat(dir)
	if err != nil {
		return false
	}
	if st, ok := info.Sys().(*syscall.Stat_t); !ok || st.Uid != 0 {
		return false
	}
	// Both are empty once it is dying, and errors once it is gone.
	args, _ := readFile(filepath.Join(dir, "cmdline"), maxArgs)
	if bytes.Contains(args, []byte("\x00--log\x00"+o.log+"\x00")) {
		return true
	}
	if !bytes.HasSuffix(args, []byte("\x00init\x00")) {
		return false
	}
	env, _ := readFile(filepath.Join(dir, "environ"), maxArgs)
	return bytes.Contains(append([]byte{0}, env...), []byte("\x00_LIBCONTAINER_STATEDIR="+o.own+"\x00"))
}

// unmountBeneath takes away what is mounted in a directory. Old runc mounts its
// own binary there for a moment (libcontainer/nsenter/cloned_binary.c,
// try_bindfd), and may be killed in it.
func unmountBeneath(dir string) error {
	b, err := readFile("/proc/self/mountinfo", maxMountinfo)
	if err != nil {
		return fmt.Errorf("find mounts in %q: %w", dir, err)
	}
	lines := bufio.NewScanner(bytes.NewReader(b))
	lines.Buffer(nil, maxMountinfo)
	for lines.Scan() {
		// proc_pid_mountinfo(5): the mount point is field 5. An escaped one does not
		// match, and then the directory cannot be removed, which is said.
		fields := strings.Fields(lines.Text())
		if len(fields) < 5 || !strings.HasPrefix(fields[4], dir+"/") {
			continue
		}
		if err := unix.Unmount(fields[4], unix.MNT_DETACH|unix.UMOUNT_NOFOLLOW); err != nil && err != unix.EINVAL && err != unix.ENOENT {
			return fmt.Errorf("unmount %q: %w", fields[4], err)
		}
	}
	return lines.Err()
}
