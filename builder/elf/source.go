package elf

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"
	"syscall"

	"github.com/immure-dev/immure/internal/rootfs"
)

// A Source is the root file system in which libraries are looked for. Paths
// are absolute and clean. It need not be safe for concurrent use.
type Source interface {
	// Lookup returns the file at p without following a link, or nil when there
	// is none. No component before the last is a symbolic link.
	Lookup(p string) (*rootfs.Node, error)
	// List returns the sorted names in the directory p, none when there is no
	// such directory.
	List(p string) ([]string, error)
}

type treeSource struct {
	tree  *rootfs.Tree
	names map[string][]string // by directory; filled at the first List
}

// FromTree is t as a source. The tree must not change while it is in use.
func FromTree(t *rootfs.Tree) Source { return &treeSource{tree: t} }

func (s *treeSource) Lookup(p string) (*rootfs.Node, error) { return s.tree.Get(p), nil }

func (s *treeSource) List(p string) ([]string, error) {
	if s.names == nil {
		s.names = make(map[string][]string)
		for n := range s.tree.All() {
			if n.Path != "/" {
				s.names[path.Dir(n.Path)] = append(s.names[path.Dir(n.Path)], path.Base(n.Path))
			}
		}
	}
	return s.names[p], nil
}

// A Host is a directory of this machine as a source, "/" for the machine
// itself. It never leaves that directory: links are resolved by this package,
// within it. Its nodes have the owner and mode that stat reports and no
// capability attribute; contents can be opened until Close.
type Host struct{ root *os.Root }

// FromHost opens dir. The caller closes the Host.
func FromHost(dir string) (*Host, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, fmt.Errorf("open root directory %q: %w", dir, err)
	}
	return &Host{root}, nil
}

// Close ends the use of the Host and of every content it gave out.
func (h *Host) Close() error { return h.root.Close() }

// relative is the absolute path p as os.Root wants it.
func relative(p string) string { return cmp.Or(strings.TrimPrefix(p, "/"), ".") }

func absent(err error) bool {
	return errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR)
}

// Lookup implements [Source].
func (h *Host) Lookup(p string) (*rootfs.Node, error) {
	name := relative(p)
	fi, err := h.root.Lstat(name)
	if absent(err) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	st, ok := fi.Sys().(*syscall.Stat_t)
	if !ok {
		return nil, fmt.Errorf("stat %q: no owner known", p)
	}
	n := &rootfs.Node{Path: p, Mode: uint32(st.Mode) & 0o7777, UID: st.Uid, GID: st.Gid}
	switch fi.Mode().Type() {
	case 0:
		n.Type, n.Size, n.Content = rootfs.Regular, fi.Size(), hostContent{h.root, name}
	case fs.ModeDir:
		n.Type = rootfs.Directory
	case fs.ModeSymlink:
		n.Type, n.Mode = rootfs.Symlink, 0
		if n.Target, err = h.root.Readlink(name); err != nil {
			return nil, err
		}
	default:
		return nil, fmt.Errorf("read %q: neither a regular file, a directory nor a symbolic link", p)
	}
	return n, nil
}

// List implements [Source].
func (h *Host) List(p string) ([]string, error) {
	d, err := h.root.Open(relative(p))
	if absent(err) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer d.Close()
	names, err := d.Readdirnames(maxDirNames + 1)
	if err != nil && err != io.EOF {
		return nil, err
	}
	if len(names) > maxDirNames {
		return nil, fmt.Errorf("list %q: more than %d names", p, maxDirNames)
	}
	slices.Sort(names)
	return names, nil
}

// maxDirNames bounds the directories that a Host lists (those of ld.so.conf).
const maxDirNames = 1 << 16

type hostContent struct {
	root *os.Root
	name string
}

// Open implements [rootfs.Content].
func (c hostContent) Open() (io.ReadCloser, error) { return c.root.Open(c.name) }
