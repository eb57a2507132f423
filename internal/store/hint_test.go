package store

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
)

func TestHintsNameTreesThatAreThere(t *testing.T) {
	s := open(t)
	keys := fill(t, s, keepTrees)
	digest := func(i int) string { return fmt.Sprintf("%064x", 1000+i) }
	for i, k := range keys {
		s.Hint(digest(i), keys[0])
		s.Hint(digest(i), k) // the last one counts
		if got, ok := s.Hinted(digest(i)); !ok || got != k {
			t.Fatalf("hint %d names %q, want %q", i, got, k)
		}
	}
	s.Unhint(digest(keepTrees - 1))
	if _, ok := s.Hinted(digest(keepTrees - 1)); ok {
		t.Error("a hint was not forgotten")
	}
	s.Hint(digest(keepTrees-1), keys[keepTrees-1])
	_, release, err := s.Rootfs(key, write("content")) // drives the oldest out
	if err != nil {
		t.Fatal(err)
	}
	release()
	for i, k := range keys {
		if _, ok := s.Hinted(digest(i)); ok != has(s, k) {
			t.Errorf("hint %d is there %t, its tree %t", i, ok, has(s, k))
		}
	}
	wantEntries(t, s, makingDir, 0)
}

func TestHintsAreBounded(t *testing.T) {
	s := open(t)
	fill(t, s, 1)
	for i := range maxHints + 1 {
		s.Hint(fmt.Sprintf("%064x", i), fmt.Sprintf("%064x", 0))
	}
	s.pruneHints()
	wantEntries(t, s, hintsDir, 0)
}

// What is no digest is neither remembered nor handed out.
func TestHintsAreDigests(t *testing.T) {
	s := open(t)
	for _, bad := range []string{"", "../trees", "x", fmt.Sprintf("%063x", 1), fmt.Sprintf("%064X", 0xabc)} {
		s.Hint(bad, key)
		s.Hint(key, bad)
		if _, ok := s.Hinted(bad); ok {
			t.Errorf("%q was remembered", bad)
		}
	}
	wantEntries(t, s, hintsDir, 0)
	if err := os.Symlink("../../etc", filepath.Join(s.dir, hintsDir, key)); err != nil {
		t.Fatal(err)
	}
	if got, ok := s.Hinted(key); ok {
		t.Errorf("handed out %q", got)
	}
}
