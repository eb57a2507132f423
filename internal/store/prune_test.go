package store

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// fill makes n trees, the first used longest ago, and returns their keys.
func fill(t *testing.T, s *Store, n int) []string {
	t.Helper()
	var keys []string
	for i := range n {
		k := fmt.Sprintf("%064x", i)
		_, release, err := s.Rootfs(k, write("content"))
		if err != nil {
			t.Fatal(err)
		}
		release()
		used := time.Now().Add(time.Duration(i-n) * time.Hour)
		if err := os.Chtimes(filepath.Join(s.dir, locksDir, k), used, used); err != nil {
			t.Fatal(err)
		}
		keys = append(keys, k)
	}
	return keys
}

func has(s *Store, key string) bool {
	_, err := os.Lstat(filepath.Join(s.dir, treesDir, key))
	return err == nil
}

func TestTheStoreKeepsTheTreesUsedLast(t *testing.T) {
	s := open(t)
	keys := fill(t, s, keepTrees)
	_, held, err := s.Rootfs(keys[0], nil) // the oldest, held
	if err != nil {
		t.Fatal(err)
	}
	defer held()
	old := time.Now().Add(-1000 * time.Hour)
	if err := os.Chtimes(filepath.Join(s.dir, locksDir, keys[0]), old, old); err != nil {
		t.Fatal(err)
	}
	_, release, err := s.Rootfs(keys[1], nil) // used again: no longer old
	if err != nil {
		t.Fatal(err)
	}
	release()

	dir, release, err := s.Rootfs(key, write("new"))
	if err != nil {
		t.Fatal(err)
	}
	defer release()
	if _, err := os.Stat(filepath.Join(dir, "file")); err != nil {
		t.Errorf("the new tree: %v", err)
	}
	for i, k := range keys {
		if want := i != 2; has(s, k) != want {
			t.Errorf("tree %d: there %t, want %t", i, !want, want)
		}
	}
	wantEntries(t, s, treesDir, keepTrees)
	wantEntries(t, s, locksDir, keepTrees)
	wantEntries(t, s, makingDir, 0)
}

// More than are kept may be held at once; they go when another is made.
func TestHeldTreesStay(t *testing.T) {
	s := open(t)
	var release []func()
	for i := range keepTrees + 3 {
		_, r, err := s.Rootfs(fmt.Sprintf("%064x", i), write("content"))
		if err != nil {
			t.Fatal(err)
		}
		release = append(release, r)
	}
	wantEntries(t, s, treesDir, keepTrees+3)
	for _, r := range release {
		r()
	}
	_, r, err := s.Rootfs(key, write("content"))
	if err != nil {
		t.Fatal(err)
	}
	r()
	wantEntries(t, s, treesDir, keepTrees)
}

// What is in the way of pruning stops no one from using a tree.
func TestAFailedPruneIsNoError(t *testing.T) {
	s := open(t)
	keys := fill(t, s, keepTrees)
	lock := filepath.Join(s.dir, locksDir, keys[0])
	if err := os.Remove(lock); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(lock, 0o700); err != nil {
		t.Fatal(err)
	}
	old := time.Now().Add(-1000 * time.Hour)
	if err := os.Chtimes(lock, old, old); err != nil {
		t.Fatal(err)
	}
	_, release, err := s.Rootfs(key, write("content"))
	if err != nil {
		t.Fatal(err)
	}
	release()
	if !has(s, key) || !has(s, keys[0]) || has(s, keys[1]) {
		t.Errorf("there: new %t, stuck %t, the next %t", has(s, key), has(s, keys[0]), has(s, keys[1]))
	}
}
