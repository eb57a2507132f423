package runtime

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// The state directory:
//
//	bundles/ID/config.json   the judged bytes
//	bundles/ID/runtime       the runtime's path, for whoever has to clean up
//	bundles/ID/log, pid      of the runtime
//	runc/                    the runtime's own state
//	logs/ID.log              of detached services
const (
	bundlesDir  = "bundles"
	engineDir   = "runc"
	logsDir     = "logs"
	configFile  = "config.json"
	runtimeFile = "runtime"
	logFile     = "log"
	pidFile     = "pid"
)

// acquireTries bounds the races with others that clean up the same container.
const acquireTries = 16

var errLocked = errors.New("locked")

func bundlePath(state, id string) string { return filepath.Join(state, bundlesDir, id) }

// openState makes the state directory, and refuses one that someone else could
// have prepared.
func openState(state string) error {
	if !filepath.IsAbs(state) {
		return fmt.Errorf("open state directory %q: not an absolute path", state)
	}
	for _, dir := range []string{state, filepath.Join(state, bundlesDir), filepath.Join(state, engineDir), filepath.Join(state, logsDir)} {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return fmt.Errorf("open state directory: %w", err)
		}
		info, err := os.Lstat(dir)
		if err != nil {
			return fmt.Errorf("open state directory: %w", err)
		}
		st, ok := info.Sys().(*syscall.Stat_t)
		if !info.IsDir() || !ok || st.Uid != 0 || info.Mode().Perm()&0o077 != 0 {
			return fmt.Errorf("open state directory %q: want a directory of root with mode 0700, found %s; remove it or name another", dir, info.Mode())
		}
	}
	return nil
}

// lockDir opens a directory and locks it without waiting. The lock goes with
// the last copy of the descriptor. A directory that was removed meanwhile is
// fs.ErrNotExist, one that another holds is errLocked.
func lockDir(path string) (*os.File, error) {
	fd, err := unix.Open(path, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, &fs.PathError{Op: "open", Path: path, Err: err}
	}
	f := os.NewFile(uintptr(fd), path)
	if err := unix.Flock(fd, unix.LOCK_EX|unix.LOCK_NB); err != nil {
		f.Close()
		if err == unix.EWOULDBLOCK {
			return nil, errLocked
		}
		return nil, fmt.Errorf("lock %q: %w", path, err)
	}
	held, err := f.Stat()
	if err == nil {
		var named fs.FileInfo
		if named, err = os.Lstat(path); err == nil && !os.SameFile(held, named) {
			err = fs.ErrNotExist
		}
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

// acquire makes and locks the bundle's directory. What a dead run of the same
// name left is cleaned first.
func acquire(state, id string) (*os.File, error) {
	path := bundlePath(state, id)
	for range acquireTries {
		made := os.Mkdir(path, 0o700)
		if made != nil && !errors.Is(made, fs.ErrExist) {
			return nil, fmt.Errorf("make bundle: %w", made)
		}
		lock, err := lockDir(path)
		switch {
		case errors.Is(err, errLocked) && made != nil:
			return nil, fmt.Errorf("name container %q: one of this name is running; choose another name", id)
		case errors.Is(err, errLocked), errors.Is(err, fs.ErrNotExist):
			continue
		case err != nil:
			return nil, fmt.Errorf("make bundle: %w", err)
		case made == nil:
			return lock, nil
		}
		err = clean(state, id, false)
		lock.Close()
		if err != nil {
			return nil, err
		}
	}
	return nil, fmt.Errorf("name container %q: another start of this name is in the way; try again", id)
}

// fill writes the bundle. The runtime's name comes last: a bundle without one
// was never handed to a runtime.
func fill(dir, runtimePath string, config []byte) error {
	if err := writeNew(filepath.Join(dir, configFile), config); err != nil {
		return err
	}
	aside := filepath.Join(dir, runtimeFile+".new")
	if err := writeNew(aside, []byte(runtimePath)); err != nil {
		return err
	}
	if err := os.Rename(aside, filepath.Join(dir, runtimeFile)); err != nil {
		return fmt.Errorf("write bundle: %w", err)
	}
	return nil
}

func writeNew(path string, b []byte) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL|unix.O_NOFOLLOW, 0o600)
	if err != nil {
		return fmt.Errorf("write bundle: %w", err)
	}
	_, err = f.Write(b)
	if err := errors.Join(err, f.Close()); err != nil {
		return fmt.Errorf("write bundle: %w", err)
	}
	return nil
}

// readFile reads at most limit bytes; a longer file is an error.
func readFile(path string, limit int64) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err == nil && int64(len(b)) > limit {
		err = fmt.Errorf("read %q: longer than %d bytes", path, limit)
	}
	return b, err
}

// readEngine returns the runtime that a bundle was handed to; false when none
// was.
func readEngine(state, id string) (engine, bool) {
	b, err := readFile(filepath.Join(bundlePath(state, id), runtimeFile), unix.PathMax)
	if err != nil || !strings.HasPrefix(string(b), "/") {
		return engine{}, false
	}
	return engine{path: string(b), root: filepath.Join(state, engineDir)}, true
}
