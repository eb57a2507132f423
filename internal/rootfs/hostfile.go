package rootfs

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// A hostDir is a directory of this machine, held open, that names are looked up
// beneath.
type hostDir struct {
	file *os.File
	conn syscall.RawConn
}

func openHostDir(root string) (*hostDir, error) {
	fd, err := unix.Open(root, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	f := os.NewFile(uintptr(fd), root)
	conn, err := f.SyscallConn()
	if err != nil {
		f.Close()
		return nil, err
	}
	return &hostDir{f, conn}, nil
}

// open opens the tree's path p.
func (d *hostDir) open(p string, flags uint64) (fd int, err error) {
	name := p[1:]
	if name == "" {
		name = "."
	}
	controlErr := d.conn.Control(func(dirfd uintptr) { fd, err = openBeneath(int(dirfd), name, flags) })
	if controlErr != nil {
		return -1, controlErr
	}
	return fd, err
}

// openBeneath opens name beneath the directory dirfd. It follows no link,
// enters no other mount and does not wait for the other end of a pipe.
func openBeneath(dirfd int, name string, flags uint64) (int, error) {
	how := &unix.OpenHow{
		Flags:   flags | unix.O_CLOEXEC | unix.O_NOFOLLOW | unix.O_NONBLOCK | unix.O_NOCTTY,
		Resolve: unix.RESOLVE_BENEATH | unix.RESOLVE_NO_SYMLINKS | unix.RESOLVE_NO_MAGICLINKS | unix.RESOLVE_NO_XDEV,
	}
	for {
		fd, err := unix.Openat2(dirfd, name, how)
		switch {
		case err == nil:
			return fd, nil
		case errors.Is(err, unix.EINTR), errors.Is(err, unix.EAGAIN):
			// EAGAIN: something was renamed during the look-up.
		case errors.Is(err, unix.EXDEV):
			return -1, errors.New("is another mount")
		case errors.Is(err, unix.ENOSYS):
			return -1, fmt.Errorf("openat2: %w (Linux 5.6 or later is needed)", err)
		default:
			return -1, err
		}
	}
}

// An identity tells a file from every other, and from itself after a change.
type identity struct {
	dev, ino     uint64
	size         int64
	mtime, ctime unix.Timespec
}

func identityOf(st *unix.Stat_t) identity {
	return identity{uint64(st.Dev), st.Ino, st.Size, st.Mtim, st.Ctim}
}

// A hostFile is a Content that lies in a directory of this machine.
type hostFile struct {
	dir  *hostDir
	path string
	was  identity
}

// Open implements [Content]. The reader is an [io.ReaderAt] too.
func (c *hostFile) Open() (io.ReadCloser, error) {
	fd, err := c.dir.open(c.path, unix.O_RDONLY)
	if err != nil {
		return nil, fmt.Errorf("open %q: %w", c.path, err)
	}
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		unix.Close(fd)
		return nil, fmt.Errorf("open %q: %w", c.path, err)
	}
	if identityOf(&st) != c.was || st.Mode&unix.S_IFMT != unix.S_IFREG {
		unix.Close(fd)
		return nil, fmt.Errorf("open %q: changed since the directory was read", c.path)
	}
	return &descriptor{fd: fd, path: c.path}, nil
}

// A descriptor reads a regular file. An os.File would ask the poller about
// each of them first, which costs as much as reading a small one.
type descriptor struct {
	fd   int
	path string
}

func (d *descriptor) Read(p []byte) (int, error) {
	return d.read(p, func() (int, error) { return unix.Read(d.fd, p) })
}

func (d *descriptor) ReadAt(p []byte, off int64) (n int, err error) {
	for n < len(p) && err == nil {
		var m int
		m, err = d.read(p[n:], func() (int, error) { return unix.Pread(d.fd, p[n:], off+int64(n)) })
		n += m
	}
	return n, err
}

func (d *descriptor) read(p []byte, once func() (int, error)) (int, error) {
	for {
		n, err := once()
		switch {
		case errors.Is(err, unix.EINTR):
		case err != nil:
			return 0, fmt.Errorf("read %q: %w", d.path, err)
		case n == 0 && len(p) > 0:
			return 0, io.EOF
		default:
			return n, nil
		}
	}
}

// Close may be called once.
func (d *descriptor) Close() error { return unix.Close(d.fd) }

// attributes reads the extended attributes of one file.
type attributes struct {
	list func([]byte) (int, error)
	get  func(string, []byte) (int, error)
}

// xattrListMaxBytes is the most that listxattr gives.
// Source: include/uapi/linux/limits.h, XATTR_LIST_MAX.
const xattrListMaxBytes = 64 << 10

// read judges all attributes and gives the value of security.capability, or
// nil.
func (a attributes) read() ([]byte, error) {
	// Most files have none and need no buffer.
	if n, err := a.list(nil); n == 0 && err == nil || errors.Is(err, unix.EOPNOTSUPP) {
		return nil, nil
	}
	buf := make([]byte, xattrListMaxBytes)
	n, err := a.list(buf)
	if err != nil {
		return nil, fmt.Errorf("list extended attributes: %w", err)
	}
	var capability []byte
	for name := range bytes.SplitSeq(bytes.TrimSuffix(buf[:n], []byte{0}), []byte{0}) {
		if len(name) == 0 {
			continue
		}
		keep, err := keepAttribute(string(name))
		if err != nil {
			return nil, err
		}
		if !keep {
			continue
		}
		value := make([]byte, capabilityMaxBytes+1)
		n, err := a.get(capabilityAttribute, value)
		if err != nil {
			return nil, fmt.Errorf("read %s: %w", capabilityAttribute, err)
		}
		capability = value[:n]
	}
	return capability, nil
}
