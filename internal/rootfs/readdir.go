package rootfs

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// ReadDir reads the directory root of this machine into a tree. Owners are as
// this process sees them. Contents are opened when they are needed, so the tree
// must be closed with [Tree.Close], and a file that has changed in the meantime
// is an error then.
//
// No link is followed beneath root and no other mount is entered: whoever
// renames and replaces things during the walk cannot lead it outside. Refused
// are sockets, other mounts, overlay whiteouts, names that are not UTF-8,
// access control lists, and whatever exceeds l. Extended attributes are judged
// as in [Tree.Apply].
func ReadDir(root string, l Limits) (*Tree, error) {
	dir, err := openHostDir(root)
	if err != nil {
		return nil, fmt.Errorf("read directory %q: %w", root, err)
	}
	w := &walker{tree: &Tree{dirs: []*hostDir{dir}}, dir: dir, meter: meter{limits: l}}
	if err := w.walk("/"); err != nil {
		w.tree.Close()
		return nil, fmt.Errorf("read directory %q: %w", root, err)
	}
	return w.tree, nil
}

// Close lets go of the directory that ReadDir opened; contents read from it
// cannot be opened any more. A tree from elsewhere holds nothing.
func (t *Tree) Close() error {
	var errs []error
	for _, d := range t.dirs {
		errs = append(errs, d.file.Close())
	}
	t.dirs = nil
	return errors.Join(errs...)
}

// Stat describes the directory that ReadDir opened.
func (t *Tree) Stat() (os.FileInfo, error) {
	if len(t.dirs) != 1 {
		return nil, errors.New("not a tree of one directory")
	}
	return t.dirs[0].file.Stat()
}

type walker struct {
	tree  *Tree
	dir   *hostDir
	meter meter
}

// walk adds the directory at p and everything beneath it.
func (w *walker) walk(p string) error {
	fd, err := w.dir.open(p, unix.O_RDONLY|unix.O_DIRECTORY)
	if err != nil {
		return fmt.Errorf("%q: %w", p, err)
	}
	f := os.NewFile(uintptr(fd), p)
	defer f.Close()
	if err := w.addOpen(p, fd); err != nil {
		return fmt.Errorf("%q: %w", p, err)
	}
	names, err := w.names(f)
	if err != nil {
		return fmt.Errorf("%q: %w", p, err)
	}
	for _, name := range names {
		child := path.Join(p, name)
		if err := w.child(fd, name, child); err != nil {
			return err
		}
	}
	return nil
}

// names reads the sorted names in f, no more than there may be nodes.
func (w *walker) names(f *os.File) ([]string, error) {
	var names []string
	for {
		batch, err := f.Readdirnames(1024)
		names = append(names, batch...)
		if err == io.EOF {
			slices.Sort(names)
			return names, nil
		}
		if err != nil {
			return nil, err
		}
		if len(names) > w.meter.limits.Nodes {
			return nil, fmt.Errorf("more than %d entries", w.meter.limits.Nodes)
		}
	}
}

func (w *walker) child(parent int, name, p string) error {
	var st unix.Stat_t
	if err := unix.Fstatat(parent, name, &st, unix.AT_SYMLINK_NOFOLLOW); err != nil {
		return fmt.Errorf("%q: %w", p, err)
	}
	switch st.Mode & unix.S_IFMT {
	case unix.S_IFDIR:
		return w.walk(p)
	case unix.S_IFREG:
		fd, err := openBeneath(parent, name, unix.O_RDONLY)
		if err != nil {
			return fmt.Errorf("%q: %w", p, err)
		}
		defer unix.Close(fd)
		if err := w.addOpen(p, fd); err != nil {
			return fmt.Errorf("%q: %w", p, err)
		}
		return nil
	}
	if err := w.addNamed(parent, name, p, &st); err != nil {
		return fmt.Errorf("%q: %w", p, err)
	}
	return nil
}

// addOpen adds the directory or regular file at p that is open as fd. What the
// descriptor shows counts, not what stood at the name a moment before.
func (w *walker) addOpen(p string, fd int) error {
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return err
	}
	n, err := nodeOfStat(p, &st)
	if err != nil {
		return err
	}
	attributes := attributes{
		list: func(b []byte) (int, error) { return unix.Flistxattr(fd, b) },
		get:  func(name string, b []byte) (int, error) { return unix.Fgetxattr(fd, name, b) },
	}
	if n.Capability, err = attributes.read(); err != nil {
		return err
	}
	if n.Type == Regular {
		n.Content = &hostFile{dir: w.dir, path: p, was: identityOf(&st)}
	}
	return w.add(n)
}

// addNamed adds what cannot be opened without an effect: links, devices, pipes.
func (w *walker) addNamed(parent int, name, p string, st *unix.Stat_t) error {
	n, err := nodeOfStat(p, st)
	if err != nil {
		return err
	}
	if n.Type == Symlink {
		if n.Target, err = readlinkAt(parent, name); err != nil {
			return err
		}
	}
	link := fmt.Sprintf("/proc/self/fd/%d/%s", parent, name)
	attributes := attributes{
		list: func(b []byte) (int, error) { return unix.Llistxattr(link, b) },
		get:  func(name string, b []byte) (int, error) { return unix.Lgetxattr(link, name, b) },
	}
	if n.Capability, err = attributes.read(); err != nil {
		return err
	}
	return w.add(n)
}

func (w *walker) add(n *Node) error {
	if err := checkPath(n.Path); err != nil {
		return err
	}
	if err := w.meter.node(n); err != nil {
		return err
	}
	if err := n.check(); err != nil {
		return err
	}
	return w.tree.Put(*n)
}

// nodeOfStat makes the node that st describes, without link target or content.
func nodeOfStat(p string, st *unix.Stat_t) (*Node, error) {
	n := &Node{Path: p, Mode: st.Mode & 0o7777, UID: st.Uid, GID: st.Gid}
	switch st.Mode & unix.S_IFMT {
	case unix.S_IFDIR:
		n.Type = Directory
	case unix.S_IFREG:
		n.Type, n.Size = Regular, st.Size
	case unix.S_IFLNK:
		n.Type, n.Mode = Symlink, 0
	case unix.S_IFIFO:
		n.Type = FIFO
	case unix.S_IFCHR, unix.S_IFBLK:
		n.Type = CharDevice
		if st.Mode&unix.S_IFMT == unix.S_IFBLK {
			n.Type = BlockDevice
		}
		n.Major, n.Minor = unix.Major(uint64(st.Rdev)), unix.Minor(uint64(st.Rdev))
	case unix.S_IFSOCK:
		return nil, errors.New("socket: it has no place in an image, remove it")
	default:
		return nil, fmt.Errorf("unknown file type %#o", st.Mode&unix.S_IFMT)
	}
	return n, nil
}

func readlinkAt(dirfd int, name string) (string, error) {
	buf := make([]byte, pathMaxBytes+1)
	n, err := unix.Readlinkat(dirfd, name, buf)
	if err != nil {
		return "", err
	}
	return strings.Clone(string(buf[:n])), nil
}
