package observe

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// readExecutable returns the resolved path of the program that a process runs,
// as seen from the process's own root directory. The second result is why there
// is none: the program lies elsewhere, as that of a runtime does which has
// executed itself.
func readExecutable(pid int) (path, outside string, err error) {
	exe := fmt.Sprintf("/proc/%d/exe", pid)
	if path, err = os.Readlink(exe); err != nil {
		return "", "", err
	}
	running, err := stat(unix.Open(exe, unix.O_PATH|unix.O_CLOEXEC, 0))
	if err != nil {
		return "", "", fmt.Errorf("open %q: %w", exe, err)
	}
	root, err := unix.Open(fmt.Sprintf("/proc/%d/root", pid), unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return "", "", fmt.Errorf("open root directory: %w", err)
	}
	defer unix.Close(root)
	// The kernel shows a path of the program's own mount, which need not be one of
	// the process's: only the file at that path tells.
	named, err := stat(unix.Openat2(root, path, &unix.OpenHow{
		Flags: unix.O_PATH | unix.O_CLOEXEC, Resolve: unix.RESOLVE_IN_ROOT | unix.RESOLVE_NO_SYMLINKS,
	}))
	if err == unix.ENOSYS {
		return "", "", fmt.Errorf("open %q: openat2: %w; Linux 5.6 is the oldest that has it", path, err)
	}
	if err != nil || named.Dev != running.Dev || named.Ino != running.Ino {
		return "", fmt.Sprintf("%q lies outside the container: the runtime has executed itself once more", path), nil
	}
	return path, "", nil
}

// stat closes the descriptor that it is given.
func stat(fd int, err error) (unix.Stat_t, error) {
	var st unix.Stat_t
	if err != nil {
		return st, err
	}
	defer unix.Close(fd)
	return st, unix.Fstat(fd, &st)
}
