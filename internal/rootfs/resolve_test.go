package rootfs

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"testing"

	"golang.org/x/sys/unix"
	"pgregory.net/rapid"
)

func TestResolve(t *testing.T) {
	var tree Tree
	put(t, &tree,
		Node{Path: "/", Type: Directory},
		Node{Path: "/usr", Type: Directory},
		Node{Path: "/usr/lib", Type: Directory},
		Node{Path: "/usr/lib/libc.so", Type: Regular, Content: Bytes(nil)},
		Node{Path: "/lib", Type: Symlink, Target: "usr/lib"},
		Node{Path: "/out", Type: Symlink, Target: "../../../usr"},
		Node{Path: "/usr/abs", Type: Symlink, Target: "/lib/libc.so"},
		Node{Path: "/loop", Type: Symlink, Target: "loop"},
		Node{Path: "/dead", Type: Symlink, Target: "/usr/none/x"},
	)
	for _, c := range []struct {
		path, real string
		err        error
	}{
		{"/", "/", nil},
		{"", "/", nil},
		{"/lib/libc.so", "/usr/lib/libc.so", nil},
		{"lib/../abs", "/usr/lib/libc.so", nil},
		{"/../../lib/./", "/usr/lib", nil},
		{"/out/lib", "/usr/lib", nil},
		{"/loop", "/loop", unix.ELOOP},
		{"/dead", "/usr/none", fs.ErrNotExist},
		{"/usr/lib/libc.so/x", "/usr/lib/libc.so", unix.ENOTDIR},
		{"/usr/lib/libc.so/..", "/usr/lib/libc.so", unix.ENOTDIR},
		{"/usr/lib/libc.so/", "/usr/lib/libc.so", unix.ENOTDIR},
	} {
		n, real, err := tree.Resolve(c.path)
		if real != c.real || !errors.Is(err, c.err) || (n == nil) == (c.err == nil) {
			t.Errorf("resolve %q: got %v, %q, %v; want %q, %v", c.path, n, real, err, c.real, c.err)
		}
		if n != nil && n.Path != real {
			t.Errorf("resolve %q: node %q has real path %q", c.path, n.Path, real)
		}
	}
}

// The kernel leads to the same place in the extracted tree.
func TestResolveAsTheKernel(t *testing.T) {
	parent := t.TempDir()
	rapid.Check(t, func(rt *rapid.T) {
		tree := genTree().Draw(rt, "tree")
		dir, err := os.MkdirTemp(parent, "")
		if err != nil {
			rt.Fatal(err)
		}
		defer os.RemoveAll(dir)
		if err := tree.Extract(dir); err != nil {
			rt.Fatal(err)
		}
		var ps []string
		for n := range tree.All() {
			ps = append(ps, n.Path, n.Path+"/", n.Path+"/..", n.Path+"/a", n.Path+"/../b/")
		}
		for _, p := range ps {
			want, wantErr := kernelResolve(dir, p)
			n, got, err := tree.Resolve(p)
			if (err == nil) != (wantErr == nil) || (err == nil && got != want) {
				rt.Errorf("resolve %q: got %q, %v; the kernel says %q, %v", p, got, err, want, wantErr)
			}
			if err != nil && n != nil {
				rt.Errorf("resolve %q: a node beside the error %v", p, err)
			}
			for _, e := range []error{unix.ENOENT, unix.ENOTDIR, unix.ELOOP} {
				if errors.Is(wantErr, e) != errors.Is(err, e) {
					rt.Errorf("resolve %q: got error %v, the kernel's is %v", p, err, wantErr)
				}
			}
		}
	})
}

// kernelResolve asks the kernel where p leads for a process with root dir.
func kernelResolve(dir, p string) (string, error) {
	rootfd, err := unix.Open(dir, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return "", err
	}
	defer unix.Close(rootfd)
	fd, err := -1, error(unix.EAGAIN)
	for err == unix.EAGAIN || err == unix.EINTR { // something was renamed elsewhere meanwhile: openat2(2)
		fd, err = unix.Openat2(rootfd, p, &unix.OpenHow{Flags: unix.O_PATH | unix.O_CLOEXEC, Resolve: unix.RESOLVE_IN_ROOT})
	}
	if err != nil {
		return "", err
	}
	defer unix.Close(fd)
	real, err := os.Readlink(fmt.Sprintf("/proc/self/fd/%d", fd))
	if err != nil {
		return "", err
	}
	base, err := os.Readlink(fmt.Sprintf("/proc/self/fd/%d", rootfd))
	if err != nil {
		return "", err
	}
	if real = real[len(base):]; real == "" {
		real = "/"
	}
	return real, nil
}
