package main

import (
	"os"
	"path/filepath"
	"testing"
	"time"
)

func TestWorkdir(t *testing.T) {
	base := t.TempDir()
	t.Setenv("TMPDIR", base)
	old := time.Now().Add(-time.Hour)
	abandoned, held, foreign := filepath.Join(base, workPrefix+"1"), filepath.Join(base, workPrefix+"2"), filepath.Join(base, "other")
	for _, dir := range []string{abandoned, held, foreign} {
		if err := os.MkdirAll(filepath.Join(dir, "go-build1"), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(dir, old, old); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink(foreign, filepath.Join(base, workPrefix+"3")); err != nil {
		t.Fatal(err)
	}
	lock, err := lockWork(held)
	if err != nil {
		t.Fatal(err)
	}
	defer lock.Close()
	remove, err := workdir()
	if err != nil {
		t.Fatal(err)
	}
	dir := os.TempDir()
	if filepath.Dir(dir) != base {
		t.Fatalf("temporary directory is %s", dir)
	}
	if _, err := os.Stat(abandoned); !os.IsNotExist(err) {
		t.Errorf("what a killed process left is still there: %v", err)
	}
	for _, kept := range []string{held, foreign, filepath.Join(foreign, "go-build1")} {
		if _, err := os.Stat(kept); err != nil {
			t.Error(err)
		}
	}
	remove()
	if _, err := os.Stat(dir); !os.IsNotExist(err) || os.TempDir() != base {
		t.Errorf("%s is left, temporary directory is %s", dir, os.TempDir())
	}
}
