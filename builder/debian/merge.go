package debian

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"path"

	"github.com/immure-dev/immure/internal/rootfs"
)

// A merger lays packages over each other as dpkg would install them into a
// system with a merged /usr.
type merger struct {
	tree     *rootfs.Tree
	owner    map[string]string
	replaces map[string]map[string]bool // by package
	limits   rootfs.Limits
}

// newMerger starts with the links that the base system brings. Debian 12 still
// has packages with files in /lib and packages with files in /usr/lib.
func newMerger(arch string, limits rootfs.Limits) (*merger, error) {
	m := &merger{new(rootfs.Tree), make(map[string]string), make(map[string]map[string]bool), limits}
	nodes := []rootfs.Node{
		{Path: "/", Type: rootfs.Directory, Mode: 0o755},
		{Path: "/usr", Type: rootfs.Directory, Mode: 0o755},
	}
	for _, name := range []string{"bin", "lib", "lib64", "sbin"} {
		if name == "lib64" && arch != "amd64" {
			continue
		}
		nodes = append(nodes,
			rootfs.Node{Path: "/usr/" + name, Type: rootfs.Directory, Mode: 0o755},
			rootfs.Node{Path: "/" + name, Type: rootfs.Symlink, Target: "usr/" + name})
	}
	for _, n := range nodes {
		if err := m.tree.Put(n); err != nil {
			return nil, err
		}
	}
	return m, nil
}

// add lays u over what is there.
func (m *merger) add(u *unpacked) error {
	m.replaces[u.Name] = u.replaces
	for n := range u.tree.All() {
		if err := m.put(*n, u.Name); err != nil {
			return fmt.Errorf("file %q: %w", n.Path, err)
		}
	}
	if m.tree.Len() > m.limits.Nodes || m.tree.Size() > m.limits.Bytes {
		return fmt.Errorf("all packages so far hold more than %d files or %d bytes", m.limits.Nodes, m.limits.Bytes)
	}
	return nil
}

// put places n of the package owner where dpkg would: beneath the links that
// lead to its directory.
func (m *merger) put(n rootfs.Node, owner string) error {
	if n.Path == "/" {
		return nil
	}
	parent, dir, err := m.tree.Resolve(path.Dir(n.Path))
	if err != nil {
		return err
	}
	if parent.Type != rootfs.Directory {
		return fmt.Errorf("its directory is a file of package %s", m.owner[dir])
	}
	n.Path = path.Join(dir, path.Base(n.Path))
	old := m.tree.Get(n.Path)
	if old == nil {
		m.owner[n.Path] = owner
		return m.tree.Put(n)
	}
	keep, err := m.keeps(old, &n, owner)
	if err != nil || keep {
		return err
	}
	m.owner[n.Path] = owner
	m.tree.Remove(n.Path)
	return m.tree.Put(n)
}

// keeps says whether old stays where the package owner has n.
func (m *merger) keeps(old, n *rootfs.Node, owner string) (bool, error) {
	first := m.owner[old.Path]
	switch {
	case n.Type == rootfs.Directory && old.Type == rootfs.Directory:
		return true, nil
	case n.Type == rootfs.Directory && old.Type == rootfs.Symlink:
		// What n holds follows the link.
		at, _, err := m.tree.Resolve(old.Path)
		if err == nil && at.Type == rootfs.Directory {
			return true, nil
		}
	case n.Type != rootfs.Directory && old.Type != rootfs.Directory:
		if m.itself(n) {
			return true, nil
		}
		if m.itself(old) {
			return false, nil
		}
		same, err := equal(old, n)
		if err != nil || same {
			return true, err
		}
		// Debian Policy 7.6.1: the package that says so takes the file over.
		if over, under := m.replaces[owner][first], m.replaces[first][owner]; over != under {
			return under, nil
		}
	}
	if first == "" {
		first = "the base system"
	}
	return false, fmt.Errorf("packages %s and %s both have it, as different files: leave one of them out", first, owner)
}

// itself says whether n is a link to its own path: /usr/bin/x to /bin/x, which
// a merged /usr makes of a compatibility link.
func (m *merger) itself(n *rootfs.Node) bool {
	if n.Type != rootfs.Symlink {
		return false
	}
	target := n.Target
	if !path.IsAbs(target) {
		target = path.Dir(n.Path) + "/" + target
	}
	_, dir, err := m.tree.Resolve(path.Dir(target))
	return err == nil && path.Join(dir, path.Base(target)) == n.Path
}

// equal says whether two files that are not directories are the same in
// everything but their path.
func equal(a, b *rootfs.Node) (bool, error) {
	if a.Type != b.Type || a.Mode != b.Mode || a.UID != b.UID || a.GID != b.GID ||
		a.Major != b.Major || a.Minor != b.Minor || a.Target != b.Target || a.Size != b.Size ||
		!bytes.Equal(a.Capability, b.Capability) {
		return false, nil
	}
	if a.Type != rootfs.Regular {
		return true, nil
	}
	x, err := a.Content.Open()
	if err != nil {
		return false, err
	}
	defer x.Close()
	y, err := b.Content.Open()
	if err != nil {
		return false, err
	}
	defer y.Close()
	var p, q [32 << 10]byte
	for {
		i, errX := io.ReadFull(x, p[:])
		j, errY := io.ReadFull(y, q[:])
		if !bytes.Equal(p[:i], q[:j]) {
			return false, nil
		}
		if ended(errX) || ended(errY) {
			return ended(errX) && ended(errY), nil
		}
		if err := errors.Join(errX, errY); err != nil {
			return false, err
		}
	}
}

func ended(err error) bool {
	return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF)
}
