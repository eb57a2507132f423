package store

import (
	"cmp"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"golang.org/x/sys/unix"
)

const (
	// keepTrees is how many trees stay in the store.
	keepTrees = 32
	// maxTrees bounds the trees that one pruning looks at.
	maxTrees = 1 << 16
)

// touch notes the use of a tree, as the time of its lock. The time is only used
// to choose what goes first, so that a failure is no reason to stop.
func touch(lock *os.File) {
	now := time.Now()
	_ = os.Chtimes(lock.Name(), now, now)
}

// prune removes the trees used longest ago, but none that is held. It fails in
// silence: what it leaves goes another time.
func (s *Store) prune() {
	d, err := os.Open(filepath.Join(s.dir, treesDir))
	if err != nil {
		return
	}
	defer d.Close()
	keys, err := d.Readdirnames(maxTrees)
	if err != nil {
		return
	}
	type tree struct {
		key  string
		used time.Time
	}
	var trees []tree
	for _, key := range keys {
		if !isKey(key) {
			continue // not ours
		}
		var used time.Time
		if info, err := os.Lstat(filepath.Join(s.dir, locksDir, key)); err == nil {
			used = info.ModTime()
		}
		trees = append(trees, tree{key, used})
	}
	slices.SortFunc(trees, func(a, b tree) int {
		return cmp.Or(a.used.Compare(b.used), cmp.Compare(a.key, b.key))
	})
	for surplus := len(trees) - keepTrees; surplus > 0 && len(trees) > 0; trees = trees[1:] {
		if s.remove(trees[0].key) == nil {
			surplus--
		}
	}
}

// remove removes the tree with the key; an absent one is no error, one that is
// held is [errInUse].
func (s *Store) remove(key string) error {
	lock, err := s.lock(key, unix.LOCK_EX|unix.LOCK_NB)
	if err != nil {
		return err
	}
	defer lock.Close()
	// Renamed first: a removal that is cut short must not leave half a tree.
	aside, err := os.MkdirTemp(filepath.Join(s.dir, makingDir), key+".*")
	if err != nil {
		return err
	}
	err = os.Rename(filepath.Join(s.dir, treesDir, key), filepath.Join(aside, "tree"))
	if errors.Is(err, fs.ErrNotExist) {
		err = nil
	}
	return errors.Join(err, os.RemoveAll(aside), os.Remove(lock.Name()))
}
