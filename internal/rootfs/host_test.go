package rootfs

import (
	"errors"
	"flag"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"golang.org/x/sys/unix"
)

var update = flag.Bool("update", false, "rewrite the golden files")

func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	if *update {
		if err := os.WriteFile(name, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != string(want) {
		t.Errorf("%s: got other bytes than the golden file holds", name)
	}
}

func TestReadDirRefuses(t *testing.T) {
	small := Limits{Nodes: 5, Bytes: 100, NameBytes: 200, Depth: 3}
	for _, c := range []struct {
		name  string
		make  func(dir string) error
		words []string
	}{
		{"socket", func(dir string) error {
			l, err := net.ListenUnix("unix", &net.UnixAddr{Name: filepath.Join(dir, "s"), Net: "unix"})
			if err == nil {
				l.SetUnlinkOnClose(false)
				err = l.Close()
			}
			return err
		}, []string{`"/s"`, "socket"}},
		{"whiteout name", func(dir string) error { return os.WriteFile(filepath.Join(dir, ".wh.x"), nil, 0o644) }, []string{"whiteout"}},
		{"not UTF-8", func(dir string) error { return os.WriteFile(filepath.Join(dir, "a\xff"), nil, 0o644) }, []string{"UTF-8"}},
		{"too large", func(dir string) error { return os.Truncate(mk(t, dir, "a"), 101) }, []string{`"/a"`, "100 bytes"}},
		{"too many", func(dir string) error {
			for _, n := range strings.Split("a b c d e", " ") {
				mk(t, dir, n)
			}
			return nil
		}, []string{"5 entries"}},
		{"too deep", func(dir string) error { return os.MkdirAll(filepath.Join(dir, "a/b/c/d"), 0o755) }, []string{"3 names"}},
		{"long names", func(dir string) error { return os.Symlink(strings.Repeat("x", 201), filepath.Join(dir, "a")) }, []string{"200 bytes"}},
		{"overlay attribute", func(dir string) error {
			return unix.Setxattr(mk(t, dir, "a"), "user.overlay.whiteout", []byte("y"), 0)
		}, []string{`"/a"`, "overlay.whiteout"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			if err := c.make(dir); err != nil {
				t.Fatal(err)
			}
			_, err := ReadDir(dir, small)
			refused(t, err, c.words...)
		})
	}
	t.Run("missing", func(t *testing.T) {
		_, err := ReadDir(filepath.Join(t.TempDir(), "x"), small)
		if !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("got %v", err)
		}
	})
	t.Run("another mount", func(t *testing.T) {
		d, err := openHostDir("/")
		if err != nil {
			t.Fatal(err)
		}
		defer d.file.Close()
		fd, err := d.open("/proc", unix.O_RDONLY)
		if err == nil {
			unix.Close(fd)
		}
		refused(t, err, "another mount")
	})
}

func mk(t *testing.T, dir, name string) string {
	t.Helper()
	p := filepath.Join(dir, name)
	if err := os.WriteFile(p, []byte(name), 0o644); err != nil {
		t.Fatal(err)
	}
	return p
}

func TestReadDirDropsUserAttributes(t *testing.T) {
	dir := t.TempDir()
	if err := unix.Setxattr(mk(t, dir, "a"), "user.note", []byte("x"), 0); err != nil {
		t.Fatal(err)
	}
	tree, err := ReadDir(dir, DefaultLimits)
	if err != nil {
		t.Fatal(err)
	}
	defer tree.Close()
	if n := tree.Get("/a"); n == nil || n.Capability != nil || n.Mode != 0o644 {
		t.Errorf("got %+v", n)
	}
}

func TestContentThatChanged(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(dir string) error
	}{
		{"rewritten", func(dir string) error {
			return os.WriteFile(filepath.Join(dir, "d/a"), []byte("longer than it was"), 0o644)
		}},
		{"replaced", func(dir string) error {
			mk(t, dir, "a")
			return os.Rename(filepath.Join(dir, "a"), filepath.Join(dir, "d/a"))
		}},
		{"replaced by a pipe", func(dir string) error {
			return errors.Join(os.Remove(filepath.Join(dir, "d/a")), unix.Mkfifo(filepath.Join(dir, "d/a"), 0o644))
		}},
		{"replaced by a link", func(dir string) error {
			return errors.Join(os.Rename(filepath.Join(dir, "d/a"), filepath.Join(dir, "b")), os.Symlink("../b", filepath.Join(dir, "d/a")))
		}},
		{"parent replaced by a link", func(dir string) error {
			return errors.Join(os.Rename(filepath.Join(dir, "d"), filepath.Join(dir, "e")), os.Symlink("e", filepath.Join(dir, "d")))
		}},
		{"removed", func(dir string) error { return os.RemoveAll(filepath.Join(dir, "d")) }},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			if err := os.Mkdir(filepath.Join(dir, "d"), 0o755); err != nil {
				t.Fatal(err)
			}
			mk(t, dir, "d/a")
			tree, err := ReadDir(dir, DefaultLimits)
			if err != nil {
				t.Fatal(err)
			}
			defer tree.Close()
			if err := c.change(dir); err != nil {
				t.Fatal(err)
			}
			r, err := tree.Get("/d/a").Content.Open()
			if err == nil {
				r.Close()
			}
			refused(t, err, `"/d/a"`)
		})
	}
	t.Run("closed", func(t *testing.T) {
		dir := t.TempDir()
		mk(t, dir, "a")
		tree, err := ReadDir(dir, DefaultLimits)
		if err != nil {
			t.Fatal(err)
		}
		if err := tree.Close(); err != nil {
			t.Fatal(err)
		}
		_, err = tree.Get("/a").Content.Open()
		refused(t, err, "closed")
	})
}

// Someone swaps a directory for a link to a secret while the tree is read. The
// secret never shows.
func TestReadDirUnderAttack(t *testing.T) {
	outside, dir := t.TempDir(), t.TempDir()
	mk(t, outside, "secret")
	at := func(name string) string { return filepath.Join(dir, name) }
	if err := errors.Join(os.Mkdir(at("d"), 0o755), os.Symlink(outside, at("l"))); err != nil {
		t.Fatal(err)
	}
	mk(t, dir, "d/own")
	stop := make(chan struct{})
	var wg sync.WaitGroup
	defer wg.Wait()
	defer close(stop)
	wg.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
				if err := unix.Renameat2(unix.AT_FDCWD, at("d"), unix.AT_FDCWD, at("l"), unix.RENAME_EXCHANGE); err != nil {
					t.Error(err)
					return
				}
			}
		}
	})
	for range 1000 {
		tree, err := ReadDir(dir, DefaultLimits)
		if err != nil {
			continue // caught in the act
		}
		for n := range tree.All() {
			if strings.Contains(n.Path, "secret") {
				t.Errorf("read %s from outside", n.Path)
			}
		}
		tree.Close()
	}
}

func TestExtractRefuses(t *testing.T) {
	var tree Tree
	put(t, &tree, Node{Path: "/", Type: Directory, Mode: 0o755, UID: uint32(os.Getuid()), GID: uint32(os.Getgid())},
		Node{Path: "/a", Type: Regular, Size: 3, Content: Bytes("ab")})
	t.Run("not empty", func(t *testing.T) {
		dir := t.TempDir()
		mk(t, dir, "x")
		refused(t, tree.Extract(dir), "not empty")
	})
	t.Run("missing", func(t *testing.T) {
		refused(t, tree.Extract(filepath.Join(t.TempDir(), "x")), "no such file")
	})
	t.Run("content shorter than its size", func(t *testing.T) {
		refused(t, tree.Extract(t.TempDir()), `"/a"`, "unexpected EOF")
	})
	t.Run("content longer than its size", func(t *testing.T) {
		tree.Get("/a").Size = 1
		refused(t, tree.Extract(t.TempDir()), `"/a"`, "longer")
		refused(t, tree.WriteLayer(&strings.Builder{}, epochTime), `"/a"`, "longer")
	})
}

func TestExtractLeavesNoDescriptor(t *testing.T) {
	var tree Tree
	put(t, &tree, Node{Path: "/", Type: Directory, Mode: 0o755, UID: uint32(os.Getuid()), GID: uint32(os.Getgid())})
	for p := "/d"; len(p) < 60; p += "/d" {
		put(t, &tree, Node{Path: p, Type: Directory, Mode: 0o755, UID: uint32(os.Getuid()), GID: uint32(os.Getgid())})
	}
	put(t, &tree, Node{Path: "/d/d/d/bad", Type: Regular, Size: 1, Content: Bytes(nil)})
	before := descriptors(t)
	refused(t, tree.Extract(t.TempDir()), "bad")
	tree.Remove("/d/d/d/bad")
	dir := t.TempDir()
	if err := tree.Extract(dir); err != nil {
		t.Fatal(err)
	}
	read, err := ReadDir(dir, DefaultLimits)
	if err != nil {
		t.Fatal(err)
	}
	if err := read.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := ReadDir(dir, Limits{Nodes: 3, NameBytes: 1000, Depth: 100}); err == nil {
		t.Fatal("limit did not hold")
	}
	if after := descriptors(t); after != before {
		t.Errorf("%d descriptors were open before, %d after", before, after)
	}
}

func descriptors(t *testing.T) int {
	t.Helper()
	names, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(names)
}
