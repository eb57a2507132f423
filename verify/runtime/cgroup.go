package runtime

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

const (
	cgroupRoot = "/sys/fs/cgroup"
	// maxMountinfo and maxProcs bound what is read of the kernel, in bytes.
	maxMountinfo = 4 << 20
	maxProcs     = 4 << 20
	// maxCgroupDepth bounds the cgroups below a container's own.
	maxCgroupDepth = 16
	// killRounds bounds the chase of processes that fork while they are killed.
	killRounds = 64
	// killWait bounds the wait for one killed process: longer is one that hangs
	// in the kernel.
	killWait = 10 * time.Second
	// removeTries and removePause bound the wait for a cgroup whose processes are
	// dead and which the kernel has not let go yet: rmdir is the only question
	// that cgroup v1 answers.
	removeTries = 500
	removePause = 2 * time.Millisecond
)

// cgroupDirs returns the existing directories of a cgroup in every hierarchy,
// v1 and v2.
func cgroupDirs(path string) ([]string, error) {
	b, err := readFile("/proc/self/mountinfo", maxMountinfo)
	if err != nil {
		return nil, fmt.Errorf("find cgroup %q: %w", path, err)
	}
	var dirs []string
	lines := bufio.NewScanner(strings.NewReader(string(b)))
	lines.Buffer(nil, maxMountinfo)
	for lines.Scan() {
		// proc_pid_mountinfo(5): the mount point is field 5, the type the first
		// one behind the hyphen.
		before, after, _ := strings.Cut(lines.Text(), " - ")
		fields, kind := strings.Fields(before), strings.Fields(after)
		if len(fields) < 5 || len(kind) < 1 || kind[0] != "cgroup" && kind[0] != "cgroup2" {
			continue
		}
		dir := filepath.Join(fields[4], path)
		if info, err := os.Lstat(dir); err == nil && info.IsDir() && !slices.Contains(dirs, dir) {
			dirs = append(dirs, dir)
		}
	}
	return dirs, lines.Err()
}

// freeCgroup removes an empty cgroup of the name and reports one in use.
func freeCgroup(path string) error {
	dirs, err := cgroupDirs(path)
	if err != nil {
		return err
	}
	for _, dir := range dirs {
		if err := unix.Rmdir(dir); err != nil && err != unix.ENOENT {
			return fmt.Errorf("make cgroup %q: %q is in use; end what runs in it or choose another name", path, dir)
		}
	}
	return nil
}

// destroyCgroup kills what is in a container's cgroup, waits until it is dead
// and removes the cgroup.
func destroyCgroup(path string) error {
	dirs, err := cgroupDirs(path)
	if err != nil {
		return err
	}
	for _, dir := range dirs {
		// A frozen process of cgroup v1 does not even die.
		if err := os.WriteFile(filepath.Join(dir, "freezer.state"), []byte("THAWED"), 0); err != nil && !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, fs.ErrPermission) {
			return fmt.Errorf("thaw cgroup %q: %w", dir, err)
		}
	}
	for _, dir := range dirs {
		if err := destroyDir(dir, 0); err != nil {
			return fmt.Errorf("remove cgroup %q: %w", dir, err)
		}
	}
	return nil
}

func destroyDir(dir string, depth int) error {
	if depth > maxCgroupDepth {
		return fmt.Errorf("more than %d levels", maxCgroupDepth)
	}
	entries, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	for _, e := range entries {
		if e.IsDir() {
			if err := destroyDir(filepath.Join(dir, e.Name()), depth+1); err != nil {
				return err
			}
		}
	}
	if err := killAll(dir); err != nil {
		return err
	}
	for range removeTries {
		if err = unix.Rmdir(dir); err == nil || err == unix.ENOENT {
			return nil
		} else if err != unix.EBUSY {
			return err
		}
		time.Sleep(removePause)
	}
	return err
}

// killAll kills every process of one cgroup directory and waits for each.
func killAll(dir string) error {
	for range killRounds {
		pids, err := processes(dir)
		if err != nil || len(pids) == 0 {
			return err
		}
		fds := make(map[int]int, len(pids))
		for _, pid := range pids {
			if fd, err := unix.PidfdOpen(pid, 0); err == nil {
				fds[pid] = fd
			}
		}
		// What is still listed now is what the descriptors stand for: an id that
		// was free between the two readings cannot have been in both.
		still, err := processes(dir)
		for pid, fd := range fds {
			if slices.Contains(still, pid) && err == nil {
				unix.PidfdSendSignal(fd, unix.SIGKILL, nil, 0)
				err = waitDead(fd, killWait)
			}
			unix.Close(fd)
		}
		if err != nil {
			return err
		}
	}
	return errors.New("its processes multiply faster than they can be killed")
}

// waitDead waits for the process of a pidfd to end, and reaps it when it is a
// child of ours.
func waitDead(pidfd int, limit time.Duration) error {
	deadline := time.Now().Add(limit)
	for {
		fds := []unix.PollFd{{Fd: int32(pidfd), Events: unix.POLLIN}}
		n, err := unix.Poll(fds, max(0, int(time.Until(deadline).Milliseconds())))
		switch {
		case n > 0:
			unix.Waitid(unix.P_PIDFD, pidfd, nil, unix.WEXITED|unix.WNOHANG, nil)
			return nil
		case err == unix.EINTR:
			continue
		case err != nil:
			return err
		}
		return fmt.Errorf("a killed process has not ended within %s", limit)
	}
}

// processes reads cgroup.procs. A removed cgroup has none.
func processes(dir string) ([]int, error) {
	f, err := os.Open(filepath.Join(dir, "cgroup.procs"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxProcs))
	if errors.Is(err, unix.ENODEV) {
		return nil, nil // removed while open
	}
	if err != nil {
		return nil, err
	}
	var pids []int
	for line := range strings.Lines(string(b)) {
		pid, err := strconv.Atoi(strings.TrimSpace(line))
		if err != nil {
			return nil, fmt.Errorf("read cgroup.procs: %w", err)
		}
		if pid <= 0 { // of a pid namespace that ours does not contain
			return nil, errors.New("a process of a foreign pid namespace is in it")
		}
		pids = append(pids, pid)
	}
	return pids, nil
}
