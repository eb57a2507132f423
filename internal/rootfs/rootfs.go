// Package rootfs holds the flattened root file system of an image: what a
// container sees once every layer has been applied.
//
// A [Tree] is a value in memory: a set of [Node]s by path, each with its
// metadata and a [Content] that can be opened. It is filled from layers
// (Apply), from a directory (ReadDir) or by hand (the builder), and written out
// as one deterministic layer (WriteLayer) or into a directory (Extract).
//
// Everything read here is hostile: paths, link targets, sizes, counts and types
// come from a registry. What a tree cannot represent is an error, never a
// best effort.
package rootfs

import (
	"cmp"
	"fmt"
	"io"
	"iter"
	"maps"
	"path"
	"slices"
	"strings"
)

// A Type is the kind of file that a [Node] is.
type Type byte

// The types of file that a root file system may hold. Sockets have no place in
// an image; hard links are resolved into one node for each name.
const (
	Directory   Type = 'd'
	Regular     Type = 'f'
	Symlink     Type = 'l'
	CharDevice  Type = 'c'
	BlockDevice Type = 'b'
	FIFO        Type = 'p'
)

// A Content is the bytes of a regular file. It can be opened any number of
// times and must give the same bytes each time.
type Content interface {
	Open() (io.ReadCloser, error)
}

// A Node is one file of the tree, without its name's prefix: the tree knows
// where it stands.
type Node struct {
	// Path is absolute and clean: "/", "/usr/bin/hello".
	Path string
	Type Type
	// Mode holds the permission bits and setuid (04000), setgid (02000) and
	// sticky (01000), as in st_mode & 07777. Zero for symbolic links.
	Mode uint32
	// UID and GID are as the container sees them.
	UID, GID uint32
	// Major and Minor are of a device node.
	Major, Minor uint32
	// Target is of a symbolic link, as written.
	Target string
	// Capability is the raw value of the security.capability extended
	// attribute, or nil. Source: include/uapi/linux/capability.h, vfs_cap_data.
	Capability []byte
	// Size and Content are of a regular file.
	Size    int64
	Content Content
}

// A Tree is a flattened root file system. The zero value is an empty tree,
// without even a root.
type Tree struct {
	nodes map[string]*Node
	index index      // of nodes; nil until it is needed
	dirs  []*hostDir // that contents are read from
}

// Put adds n, replacing what stood at its path. It does not look at parents:
// [Tree.Check] does.
func (t *Tree) Put(n Node) error {
	if n.Path != path.Clean(n.Path) || !strings.HasPrefix(n.Path, "/") {
		return fmt.Errorf("put %q: path is not absolute and clean", n.Path)
	}
	if t.nodes == nil {
		t.nodes = make(map[string]*Node)
	}
	t.nodes[n.Path] = &n
	if t.index != nil {
		t.index.add(n.Path)
	}
	return nil
}

// Get returns the node at the clean absolute path p, or nil. It follows no
// links.
func (t *Tree) Get(p string) *Node { return t.nodes[p] }

// Remove takes away the node at p and everything beneath it.
func (t *Tree) Remove(p string) {
	t.needIndex()
	t.index.remove(p, func(q string) { delete(t.nodes, q) })
}

// Len is the number of nodes.
func (t *Tree) Len() int { return len(t.nodes) }

// All yields every node in path order: bytewise by path component, so that a
// directory comes right before what it holds.
func (t *Tree) All() iter.Seq[*Node] {
	nodes := slices.SortedFunc(maps.Values(t.nodes), func(a, b *Node) int { return ComparePaths(a.Path, b.Path) })
	return slices.Values(nodes)
}

// ComparePaths orders clean absolute paths by their components, so that "/a/b"
// comes before "/a-b".
func ComparePaths(a, b string) int {
	for i := 0; i < len(a) && i < len(b); i++ {
		if a[i] == b[i] {
			continue
		}
		// A slash ends a component and so sorts before every other byte.
		if a[i] == '/' {
			return -1
		}
		if b[i] == '/' {
			return 1
		}
		return cmp.Compare(a[i], b[i])
	}
	return cmp.Compare(len(a), len(b))
}

// Size is the sum of the sizes of all regular files, in bytes.
func (t *Tree) Size() int64 {
	var sum int64
	for _, n := range t.nodes {
		sum += n.Size
	}
	return sum
}

// Chown gives every node to one owner, as for files that an ordinary user
// collected and that shall be root's in the image.
func (t *Tree) Chown(uid, gid uint32) {
	for _, n := range t.nodes {
		n.UID, n.GID = uid, gid
	}
}
