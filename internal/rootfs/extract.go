package rootfs

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path"

	"golang.org/x/sys/unix"
)

// Extract writes t into the existing empty directory dir, which takes on the
// owner and mode of the tree's root. It needs the right to give files away (and
// to make devices, if there are any): root's. Modification times are the epoch.
// Nothing is synced; see [Sync]. On an error what was written stays, for the
// caller to remove.
//
// Directories belong to the caller with mode 0700 until all beneath them is
// written, so that no other user meets a half-written tree.
func (t *Tree) Extract(dir string) error {
	if err := t.Check(); err != nil {
		return fmt.Errorf("extract: %w", err)
	}
	x := &extractor{buf: make([]byte, copyBytes)}
	defer x.abandon()
	if err := x.enterRoot(dir); err != nil {
		return fmt.Errorf("extract into %q: %w", dir, err)
	}
	for n := range t.All() {
		if n.Path == "/" {
			x.open[0].node = n
			continue
		}
		if err := x.leaveUntil(path.Dir(n.Path)); err != nil {
			return fmt.Errorf("extract into %q: %w", dir, err)
		}
		if err := x.write(n); err != nil {
			return fmt.Errorf("extract into %q: %q: %w", dir, n.Path, err)
		}
	}
	if err := x.leaveUntil(""); err != nil {
		return fmt.Errorf("extract into %q: %w", dir, err)
	}
	return nil
}

// Sync waits until everything written to the file system that dir is on has
// reached the disk.
func Sync(dir string) error {
	f, err := os.Open(dir)
	if err != nil {
		return fmt.Errorf("sync: %w", err)
	}
	defer f.Close()
	if err := unix.Syncfs(int(f.Fd())); err != nil {
		return fmt.Errorf("sync %q: %w", dir, err)
	}
	return nil
}

// An extractor holds the directories open from the root to where it writes.
type extractor struct {
	open []openDir
	buf  []byte
}

type openDir struct {
	node *Node
	fd   int
}

func (x *extractor) enterRoot(dir string) error {
	f, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer f.Close()
	switch _, err := f.Readdirnames(1); err {
	case io.EOF:
	case nil:
		return errors.New("directory is not empty")
	default:
		return err
	}
	fd, err := unix.FcntlInt(f.Fd(), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		return err
	}
	x.open = []openDir{{fd: fd}}
	return unix.Fchmod(fd, 0o700)
}

// leaveUntil finishes and closes directories until the one at p is the last
// open one; all of them if p is empty.
func (x *extractor) leaveUntil(p string) error {
	for len(x.open) > 0 {
		last := x.open[len(x.open)-1]
		if last.node.Path == p {
			return nil
		}
		x.open = x.open[:len(x.open)-1]
		err := setMetadata(last.fd, last.node)
		if closeErr := unix.Close(last.fd); err == nil {
			err = closeErr
		}
		if err != nil {
			return fmt.Errorf("%q: %w", last.node.Path, err)
		}
	}
	return nil
}

func (x *extractor) abandon() {
	for _, d := range x.open {
		unix.Close(d.fd)
	}
}

func (x *extractor) write(n *Node) error {
	dirfd, name := x.open[len(x.open)-1].fd, path.Base(n.Path)
	switch n.Type {
	case Directory:
		return x.enter(dirfd, name, n)
	case Regular:
		return x.writeFile(dirfd, name, n)
	case Symlink:
		if err := unix.Symlinkat(n.Target, dirfd, name); err != nil {
			return fmt.Errorf("symlink: %w", err)
		}
	default:
		if err := unix.Mknodat(dirfd, name, n.mknodMode(), int(unix.Mkdev(n.Major, n.Minor))); err != nil {
			return fmt.Errorf("mknod: %w", err)
		}
	}
	return setMetadataAt(dirfd, name, n)
}

func (x *extractor) enter(dirfd int, name string, n *Node) error {
	if err := unix.Mkdirat(dirfd, name, 0o700); err != nil {
		return fmt.Errorf("mkdir: %w", err)
	}
	fd, err := unix.Openat(dirfd, name, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("open: %w", err)
	}
	x.open = append(x.open, openDir{n, fd})
	return nil
}

func (x *extractor) writeFile(dirfd int, name string, n *Node) error {
	const flags = unix.O_WRONLY | unix.O_CREAT | unix.O_EXCL | unix.O_NOFOLLOW | unix.O_CLOEXEC
	fd, err := unix.Openat(dirfd, name, flags, 0o600)
	if err != nil {
		return fmt.Errorf("create: %w", err)
	}
	f := os.NewFile(uintptr(fd), n.Path)
	if err := n.copyTo(f, x.buf); err != nil {
		f.Close()
		return err
	}
	if err := setMetadata(fd, n); err != nil {
		f.Close()
		return err
	}
	return f.Close()
}
