package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

const (
	workPrefix = "immure-work-"
	// workMode lets a child that drops its privileges, as apt does, reach what
	// it was given, and nobody list what is there.
	workMode = 0o711
	// youngWork may not be locked yet.
	youngWork = time.Minute
)

// workdir makes a temporary directory the one that this process and the
// compilers and unpackers that it starts use, so that all of it goes at once.
// What a killed process left is swept by the next.
func workdir() (remove func(), err error) {
	base := os.TempDir()
	sweepWork(base)
	dir, err := os.MkdirTemp(base, workPrefix)
	if err != nil {
		return nil, fmt.Errorf("make temporary directory: %w", err)
	}
	lock, err := lockWork(dir)
	if err == nil {
		err = os.Chmod(dir, workMode)
	}
	if err == nil {
		err = os.Setenv("TMPDIR", dir)
	}
	if err != nil {
		os.RemoveAll(dir)
		return nil, fmt.Errorf("make temporary directory: %w", err)
	}
	return func() {
		os.RemoveAll(dir)
		lock.Close()
		os.Setenv("TMPDIR", base)
	}, nil
}

// lockWork holds a work directory for as long as the file is open.
func lockWork(dir string) (*os.File, error) {
	f, err := os.OpenFile(dir, unix.O_DIRECTORY|unix.O_NOFOLLOW, 0)
	if err != nil {
		return nil, err
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

// sweepWork removes this user's work directories that nobody holds.
func sweepWork(base string) {
	entries, err := os.ReadDir(base)
	if err != nil {
		return // making a directory there will say why
	}
	for _, e := range entries {
		dir := filepath.Join(base, e.Name())
		var st unix.Stat_t
		if !strings.HasPrefix(e.Name(), workPrefix) || unix.Lstat(dir, &st) != nil {
			continue
		}
		young := time.Since(time.Unix(st.Mtim.Sec, st.Mtim.Nsec)) < youngWork
		if st.Mode&unix.S_IFMT != unix.S_IFDIR || int(st.Uid) != os.Geteuid() || young {
			continue
		}
		if f, err := lockWork(dir); err == nil {
			os.RemoveAll(dir)
			f.Close()
		}
	}
}
