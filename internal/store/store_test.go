package store

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
)

var key = strings.Repeat("0a", 32)

func open(t *testing.T) *Store {
	t.Helper()
	s, err := Open(filepath.Join(t.TempDir(), "store"))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func write(content string) func(string) error {
	return func(dir string) error {
		return os.WriteFile(filepath.Join(dir, "file"), []byte(content), 0o644)
	}
}

func wantEntries(t *testing.T, s *Store, dir string, want int) {
	t.Helper()
	entries, err := os.ReadDir(filepath.Join(s.dir, dir))
	if err != nil || len(entries) != want {
		t.Errorf("%s: %d entries %v, %v, want %d", dir, len(entries), entries, err, want)
	}
}

func TestRootfsIsUnpackedOnce(t *testing.T) {
	s := open(t)
	var unpacked atomic.Int32
	var all sync.WaitGroup
	for range 16 {
		all.Go(func() {
			own, err := Open(s.dir) // as another process would
			if err != nil {
				t.Error(err)
				return
			}
			dir, release, err := own.Rootfs(key, func(dir string) error {
				unpacked.Add(1)
				return write("content")(dir)
			})
			if err != nil {
				t.Error(err)
				return
			}
			defer release()
			if b, err := os.ReadFile(filepath.Join(dir, "file")); err != nil || string(b) != "content" {
				t.Errorf("got %q, %v", b, err)
			}
		})
	}
	all.Wait()
	if n := unpacked.Load(); n != 1 {
		t.Errorf("unpacked %d times", n)
	}
	wantEntries(t, s, makingDir, 0)
	info, err := os.Stat(filepath.Join(s.dir, treesDir, key))
	if err != nil || info.Mode().Perm() != 0o755 {
		t.Errorf("the tree's root: %v, %v", info.Mode(), err)
	}
}

func TestAFailedUnpackLeavesNothing(t *testing.T) {
	s := open(t)
	failure := errors.New("broken layer")
	_, _, err := s.Rootfs(key, func(dir string) error {
		return errors.Join(write("half")(dir), failure)
	})
	if !errors.Is(err, failure) {
		t.Errorf("got %v", err)
	}
	for _, dir := range []string{treesDir, makingDir, locksDir} {
		wantEntries(t, s, dir, 0)
	}
	dir, release, err := s.Rootfs(key, write("whole"))
	if err != nil {
		t.Fatal(err)
	}
	release()
	if b, _ := os.ReadFile(filepath.Join(dir, "file")); string(b) != "whole" {
		t.Errorf("got %q", b)
	}
}

func TestRemove(t *testing.T) {
	s := open(t)
	_, release, err := s.Rootfs(key, write("content"))
	if err != nil {
		t.Fatal(err)
	}
	if err := s.remove(key); !errors.Is(err, errInUse) {
		t.Errorf("remove a held tree: %v", err)
	}
	release()
	for range 2 {
		if err := s.remove(key); err != nil {
			t.Error(err)
		}
	}
	for _, dir := range []string{treesDir, makingDir, locksDir} {
		wantEntries(t, s, dir, 0)
	}
}

func TestOpenSweepsWhatACrashLeft(t *testing.T) {
	s := open(t)
	left := filepath.Join(s.dir, makingDir, key+".123")
	if err := os.MkdirAll(filepath.Join(left, "usr", "bin"), 0o755); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(s.dir); err != nil {
		t.Fatal(err)
	}
	wantEntries(t, s, makingDir, 0)
	wantEntries(t, s, locksDir, 0)

	_, release, err := s.Rootfs(key, func(dir string) error {
		if _, err := Open(s.dir); err != nil {
			t.Error(err)
		}
		return write("content")(dir) // fails when Open swept it away
	})
	if err != nil {
		t.Fatal(err)
	}
	release()
}

func TestOpenRefusesAForeignDirectory(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Fatal("this test gives directories away: run it as root")
	}
	for name, spoil := range map[string]func(dir string) error{
		"mode":           func(dir string) error { return os.Chmod(dir, 0o755) },
		"owner":          func(dir string) error { return os.Chown(dir, 65532, 0) },
		"inner mode":     func(dir string) error { return os.Chmod(filepath.Join(dir, treesDir), 0o770) },
		"inner link":     func(dir string) error { return relink(filepath.Join(dir, treesDir)) },
		"foreign inside": func(dir string) error { return os.Mkdir(filepath.Join(dir, makingDir, "x"), 0o700) },
	} {
		t.Run(name, func(t *testing.T) {
			s := open(t)
			if err := spoil(s.dir); err != nil {
				t.Fatal(err)
			}
			if _, err := Open(s.dir); err == nil {
				t.Error("opened")
			}
		})
	}
}

func relink(dir string) error {
	return errors.Join(os.Remove(dir), os.Symlink("/", dir))
}

func TestKeysAreDigests(t *testing.T) {
	s := open(t)
	for _, bad := range []string{"", ".", "..", "../" + key[3:], key[:63], key + "0", strings.ToUpper(key), key[:63] + "/", key + "\n"} {
		if _, _, err := s.Rootfs(bad, write("")); err == nil {
			t.Errorf("Rootfs took key %q", bad)
		}
	}
}
