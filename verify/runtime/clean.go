package runtime

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	goruntime "runtime"

	"golang.org/x/sys/unix"
)

// maxStale bounds the bundles that one CleanStale looks at.
const maxStale = 1 << 16

// CleanStale removes what runs left that were killed together with their
// keeper: container, processes, cgroup, bundle. Live runs are not touched. It
// is to be called before each [Run], as root; an absent state directory has
// nothing to clean. An empty stateDir is [DefaultStateDir].
func CleanStale(stateDir string) error {
	if stateDir == "" {
		stateDir = DefaultStateDir
	}
	if _, err := os.Lstat(stateDir); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err := openState(stateDir); err != nil {
		return err
	}
	dir, err := os.Open(filepath.Join(stateDir, bundlesDir))
	if err != nil {
		return fmt.Errorf("clean up stale containers: %w", err)
	}
	names, err := dir.Readdirnames(maxStale)
	dir.Close()
	if err != nil && len(names) > 0 {
		return fmt.Errorf("clean up stale containers: %w", err)
	}
	var all []error
	for _, id := range names {
		if !isID(id) {
			all = append(all, fmt.Errorf("clean up stale containers: %q in %q is not ours; remove it", id, dir.Name()))
			continue
		}
		lock, err := lockDir(bundlePath(stateDir, id))
		if errors.Is(err, errLocked) || errors.Is(err, fs.ErrNotExist) {
			continue // alive, or just cleaned by another
		}
		if err == nil {
			err = clean(stateDir, id, false)
			lock.Close()
		}
		all = append(all, err)
	}
	return errors.Join(all...)
}

// clean removes everything of one container, whose lock the caller holds. Each
// step stands for itself, for a run can have been killed at any moment, and can
// be repeated. With dead the caller has seen the container's first process, and
// so its pid namespace, end.
func clean(state, id string, dead bool) error {
	goruntime.LockOSThread() // for the runtime's parent death signal
	defer goruntime.UnlockOSThread()

	if e, handed := readEngine(state, id); handed {
		if err := cleanContainer(state, id, e, dead); err != nil {
			return fmt.Errorf("delete container %q: %w", id, err)
		}
	}
	if err := os.RemoveAll(bundlePath(state, id)); err != nil {
		return fmt.Errorf("delete container %q: %w", id, err)
	}
	return nil
}

// cleanContainer removes what a runtime made of a bundle.
func cleanContainer(state, id string, e engine, dead bool) error {
	config, err := readFile(filepath.Join(bundlePath(state, id), configFile), maxConfig)
	if err != nil {
		return err
	}
	req, err := parseRequest(config, id)
	if err != nil {
		return err
	}
	// First the processes: what the runtime is to delete it then finds dead, and
	// what a killed runtime had not recorded yet dies too.
	cgroup, own := req.Linux.CgroupsPath, filepath.Join(e.root, id)
	if err := destroyCgroup(cgroup); err != nil {
		return err
	}
	if !dead {
		if err := (orphan{log: filepath.Join(bundlePath(state, id), logFile), own: own}).end(); err != nil {
			return err
		}
		if err := destroyCgroup(cgroup); err != nil { // the orphans' last deed
			return err
		}
		if err := unmountBeneath(own); err != nil {
			return err
		}
	}
	// Of a dead and plain container, runc delete would remove the cgroup, which is
	// gone, and its directory (libcontainer/state_linux.go, destroy). Starting it
	// for that takes 5 ms, a third of what this package adds to a short service.
	if _, err := os.Lstat(filepath.Join(own, runcState)); (err != nil || !dead || !req.plain()) && recorded(own) {
		if err := e.do(filepath.Join(bundlePath(state, id), logFile), "delete", "--force", id); err != nil {
			return err
		}
	}
	if err := os.RemoveAll(own); err != nil {
		return err
	}
	removeParent(state, cgroup)
	return nil
}

// runcState is the file in which runc records a container.
const runcState = "state.json"

// recorded reports whether the runtime has written down a container: runc in
// state.json, crun in status.
func recorded(own string) bool {
	for _, name := range []string{runcState, "status"} {
		if _, err := os.Lstat(filepath.Join(own, name)); err == nil {
			return true
		}
	}
	return false
}

// removeParent removes the cgroup that holds the containers' cgroups, when it
// is empty and nobody is about to make one in it.
func removeParent(state, cgroup string) {
	parent := filepath.Dir(cgroup)
	if parent == "/" || parent == "." {
		return
	}
	lock, err := lockDir(state)
	if err != nil {
		return // a container is being created: whoever is last removes it
	}
	defer lock.Close()
	dirs, err := cgroupDirs(parent)
	if err != nil {
		return
	}
	for _, dir := range dirs {
		_ = unix.Rmdir(dir) // fails while it has children: it is in use
	}
}

// holdCgroups keeps removeParent away while a runtime makes a cgroup.
func holdCgroups(state string) (*os.File, error) {
	f, err := os.Open(state)
	if err != nil {
		return nil, fmt.Errorf("open state directory: %w", err)
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_SH); err != nil {
		f.Close()
		return nil, fmt.Errorf("lock state directory: %w", err)
	}
	return f, nil
}
