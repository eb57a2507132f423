package rootfs

import (
	"archive/tar"
	"bufio"
	"errors"
	"fmt"
	"io"
	"path"
)

// Apply puts one layer, an uncompressed tar archive, on top of t. Contents go
// to s. On an error t is neither the old tree nor the new one, and of no use.
//
// Names are taken relative to the root, whether or not they begin with a slash.
// A name repeated in one layer counts as it stands last. A parent directory
// that neither this layer nor a lower one has is made as container runtimes
// make it: owned by root, mode 0755. A hard link becomes a node of its own with
// the content of the name it links to, in this layer or a lower one. A whiteout
// hides what lower layers have and nothing of its own layer, wherever in the
// archive it stands.
//
// Refused, because no two programs agree on them or because they lead
// elsewhere: "..", a parent that is not a directory (so nothing is ever written
// through a symbolic link), a hard link to nothing or to a directory or with
// another owner or mode, sockets and unknown types, sparse files, names that
// are not UTF-8, access control lists and overlay attributes, anything but
// zeros after the end of the archive, and whatever exceeds l.
//
// Of the extended attributes security.capability is kept. Those that belong to
// a machine rather than a file (user.*, SELinux labels, …) are left out.
//
// Sources: OCI image-spec, layer.md; POSIX.1-2017, pax, "pax Interchange
// Format".
func (t *Tree) Apply(layer io.Reader, s Store, l Limits) error {
	src := bufio.NewReaderSize(&boundedReader{r: layer, left: l.layerBytes()}, 64<<10)
	a := &applier{
		tree:   t,
		store:  s,
		meter:  meter{limits: l},
		own:    make(map[string]struct{}),
		hidden: make(map[string]struct{}),
	}
	for archive := tar.NewReader(src); ; {
		h, err := archive.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			return fmt.Errorf("apply layer: read entry: %w", err)
		}
		if err := a.entry(h, archive); err != nil {
			return fmt.Errorf("apply layer: entry %.200q: %w", h.Name, err)
		}
	}
	if err := onlyZeros(src); err != nil {
		return fmt.Errorf("apply layer: %w", err)
	}
	if err := a.parents("/."); err != nil {
		return fmt.Errorf("apply layer: %w", err)
	}
	return t.within(l)
}

// within measures the whole tree.
func (t *Tree) within(l Limits) error {
	m := meter{limits: l}
	for _, n := range t.nodes {
		if err := m.node(n); err != nil {
			return fmt.Errorf("tree of all layers: %w", err)
		}
	}
	return nil
}

// An applier is one layer on its way into a tree.
type applier struct {
	tree  *Tree
	store Store
	meter meter
	// own has the paths of this layer's nodes, which its whiteouts spare.
	own map[string]struct{}
	// hidden has the whiteouts seen; a second one has nothing left to hide.
	hidden map[string]struct{}
}

func (a *applier) entry(h *tar.Header, body io.Reader) error {
	if err := a.meter.entry(); err != nil {
		return err
	}
	if h.Typeflag == tar.TypeXGlobalHeader {
		return checkGlobal(h)
	}
	p, err := entryPath(h)
	if err != nil {
		return err
	}
	if isWhiteout(p) {
		return a.whiteout(p, h)
	}
	if err := checkPath(p); err != nil {
		return err
	}
	n, err := a.node(p, h)
	if err != nil {
		return err
	}
	if err := a.meter.measure(n); err != nil {
		return err
	}
	if err := a.parents(p); err != nil {
		return err
	}
	if n.Type == Regular && h.Typeflag != tar.TypeLink {
		if n.Content, err = a.keep(n, body); err != nil {
			return err
		}
	}
	if err := n.check(); err != nil {
		return err
	}
	return a.put(n)
}

// keep gives a content to the store, with its path where the store asks for it.
func (a *applier) keep(n *Node, body io.Reader) (Content, error) {
	if s, ok := a.store.(PathStore); ok {
		return s.PutAt(n.Path, body, n.Size)
	}
	return a.store.Put(body, n.Size)
}

// put adds n in place of what stood at its path. Only a directory that replaces
// a directory keeps what lies beneath.
func (a *applier) put(n *Node) error {
	if old := a.tree.Get(n.Path); old != nil && old.Type == Directory && n.Type != Directory {
		a.tree.Remove(n.Path)
	}
	a.own[n.Path] = struct{}{}
	return a.tree.Put(*n)
}

// parents makes the directories above p that are missing.
func (a *applier) parents(p string) error {
	if p == "/" {
		return nil
	}
	dir := path.Dir(p)
	n := a.tree.Get(dir)
	if n != nil && n.Type != Directory {
		return fmt.Errorf("parent %.200q is a %s, not a directory", dir, n.Type)
	}
	// Above a directory that is there nothing is missing, but for trees that
	// were put together by hand.
	if err := a.parents(dir); err != nil || n != nil {
		return err
	}
	n = &Node{Path: dir, Type: Directory, Mode: 0o755}
	if err := a.meter.node(n); err != nil {
		return err
	}
	return a.put(n)
}

// onlyZeros reads r to its end, so that whoever checks the digest of the layer
// has seen all of it, and refuses what an archive reader that goes on after the
// end-of-archive mark would still unpack.
func onlyZeros(r io.Reader) error {
	buf := make([]byte, 4<<10)
	for {
		n, err := r.Read(buf)
		for _, b := range buf[:n] {
			if b != 0 {
				return errors.New("data after the end of the archive")
			}
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return fmt.Errorf("read end of archive: %w", err)
		}
	}
}

// A boundedReader fails, rather than ends, when r has more than left bytes.
type boundedReader struct {
	r    io.Reader
	left int64
}

func (b *boundedReader) Read(p []byte) (int, error) {
	if b.left <= 0 {
		// At the bound only the end may follow.
		n, err := b.r.Read(make([]byte, 1))
		if n > 0 {
			return 0, errors.New("layer is larger than its limits allow")
		}
		return 0, err
	}
	n, err := b.r.Read(p[:min(int64(len(p)), b.left)])
	b.left -= int64(n)
	return n, err
}
