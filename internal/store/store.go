package store

import (
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

const (
	treesDir  = "trees"
	makingDir = "making"
	locksDir  = "locks"
)

// maxMaking bounds the left-over directories that one Open looks at.
const maxMaking = 1 << 16

// errInUse reports a tree that someone holds.
var errInUse = errors.New("the tree is in use")

// isKey reports a SHA-256 digest in hexadecimal.
func isKey(s string) bool {
	_, err := hex.DecodeString(s)
	return err == nil && len(s) == 64 && strings.ToLower(s) == s
}

// A Store is a directory of unpacked trees. Any number of goroutines and
// processes may use one at a time.
type Store struct {
	dir string
}

// Open opens the store in a directory, which it makes if absent, and removes
// what crashed processes left. A directory that is not root's own with mode
// 0700 is refused: someone else could have put trees into it.
func Open(dir string) (*Store, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, fmt.Errorf("open store: %w", err)
	}
	for _, d := range []string{dir, filepath.Join(dir, treesDir), filepath.Join(dir, makingDir), filepath.Join(dir, locksDir)} {
		if err := ownDirectory(d); err != nil {
			return nil, fmt.Errorf("open store: %w", err)
		}
	}
	s := &Store{dir: dir}
	if err := s.sweep(); err != nil {
		return nil, fmt.Errorf("open store: %w", err)
	}
	return s, nil
}

// ownDirectory makes a directory with mode 0700, or checks one that is there.
func ownDirectory(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	info, err := os.Lstat(dir)
	if err != nil {
		return err
	}
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok || !info.IsDir() {
		return fmt.Errorf("%q is not a directory", dir)
	}
	if st.Uid != 0 || info.Mode()&(fs.ModePerm|fs.ModeSetuid|fs.ModeSetgid) != 0o700 {
		return fmt.Errorf("%q is of user %d with mode %04o, want root's with mode 0700; remove it or name another", dir, st.Uid, info.Mode().Perm())
	}
	return nil
}

// Rootfs returns the directory of the tree with the key. When the store has
// none, unpack fills an empty directory, once: others that ask for the same key
// wait. An error of unpack leaves nothing.
//
// The tree stays for as long as it is not released. It must not be written to.
// Of those that nobody holds, the store keeps the ones used last: making one
// removes the others, so that there are at most 32.
func (s *Store) Rootfs(key string, unpack func(dir string) error) (dir string, release func(), err error) {
	if !isKey(key) {
		return "", nil, fmt.Errorf("find tree %q: the key is not a SHA-256 digest in hexadecimal", key)
	}
	dir = filepath.Join(s.dir, treesDir, key)
	for made := false; ; made = true {
		lock, err := s.lock(key, unix.LOCK_SH)
		if err != nil {
			return "", nil, fmt.Errorf("find tree %s: %w", key, err)
		}
		if _, err := os.Lstat(dir); err == nil {
			touch(lock)
			if made {
				s.prune()
			}
			return dir, func() { lock.Close() }, nil
		}
		lock.Close()
		// Making ends in another turn, for the way from the lone lock to a shared
		// one has a gap in which the tree could be removed.
		if err := s.make(key, dir, unpack); err != nil {
			return "", nil, fmt.Errorf("make tree %s: %w", key, err)
		}
	}
}

func (s *Store) make(key, dir string, unpack func(dir string) error) error {
	lock, err := s.lock(key, unix.LOCK_EX)
	if err != nil {
		return err
	}
	defer lock.Close()
	if _, err := os.Lstat(dir); err == nil {
		return nil // another was quicker
	}
	aside, err := os.MkdirTemp(filepath.Join(s.dir, makingDir), key+".*")
	if err != nil {
		return err
	}
	// The root of a container must be open to users other than root; the store
	// around it is not.
	err = os.Chmod(aside, 0o755)
	if err == nil {
		err = unpack(aside)
	}
	if err == nil {
		err = syncFileSystem(aside)
	}
	if err == nil {
		err = os.Rename(aside, dir)
	}
	if err != nil {
		return errors.Join(err, os.RemoveAll(aside), os.Remove(lock.Name()))
	}
	touch(lock)
	return syncDirectory(filepath.Dir(dir))
}

// sweep removes the directories in the making that nobody makes, and the lock of
// a key without a tree.
func (s *Store) sweep() error {
	d, err := os.Open(filepath.Join(s.dir, makingDir))
	if err != nil {
		return err
	}
	names, err := d.Readdirnames(maxMaking)
	d.Close()
	if err != nil && len(names) > 0 {
		return err
	}
	for _, name := range names {
		key, _, _ := strings.Cut(name, ".")
		if !isKey(key) {
			return fmt.Errorf("%q is not ours; remove it", filepath.Join(d.Name(), name))
		}
		lock, err := s.lock(key, unix.LOCK_EX|unix.LOCK_NB)
		if errors.Is(err, errInUse) {
			continue // in the making; or in use, then it goes another time
		}
		if err != nil {
			return err
		}
		err = os.RemoveAll(filepath.Join(d.Name(), name))
		if _, absent := os.Lstat(filepath.Join(s.dir, treesDir, key)); errors.Is(absent, fs.ErrNotExist) {
			err = errors.Join(err, os.Remove(lock.Name()))
		}
		lock.Close()
		if err != nil {
			return err
		}
	}
	return nil
}
