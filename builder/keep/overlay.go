package keep

import (
	"fmt"
	"path"
	"slices"

	"github.com/immure-dev/immure/builder/elf"
	"github.com/immure-dev/immure/internal/rootfs"
)

// An Overlay is a source with files laid over it: the program itself and what
// the author adds from the host.
type Overlay struct {
	base  elf.Source
	top   *rootfs.Tree
	names map[string][]string // of top, by directory
}

// NewOverlay lays nothing over base yet. A nil base holds nothing.
func NewOverlay(base elf.Source) *Overlay {
	o := &Overlay{base: base, top: new(rootfs.Tree), names: make(map[string][]string)}
	if base == nil {
		o.base = elf.FromTree(new(rootfs.Tree))
	}
	return o
}

// Put lays n over the base, with the directories above it.
func (o *Overlay) Put(n rootfs.Node) error {
	if n.Path == "/" {
		return nil
	}
	dir := path.Dir(n.Path)
	if o.top.Get(dir) == nil && dir != "/" {
		at, err := o.base.Lookup(dir)
		if err != nil {
			return fmt.Errorf("put %q: %w", n.Path, err)
		}
		if at == nil {
			at = &rootfs.Node{Path: dir, Type: rootfs.Directory, Mode: 0o755}
		}
		if at.Type != rootfs.Directory {
			return fmt.Errorf("put %q: %q is a %s there: write the path that it leads to", n.Path, dir, at.Type)
		}
		if err := o.Put(*at); err != nil {
			return err
		}
	}
	if old := o.top.Get(n.Path); old == nil {
		o.names[dir] = append(o.names[dir], path.Base(n.Path))
	} else if old.Type != n.Type {
		return fmt.Errorf("put %q: it is a %s and a %s at once", n.Path, old.Type, n.Type)
	}
	return o.top.Put(n)
}

// Added reports whether the path itself was laid over.
func (o *Overlay) Added(p string) bool {
	n := o.top.Get(p)
	return n != nil && n.Type != rootfs.Directory
}

// Top is what was laid over, by itself. Nothing may be put after.
func (o *Overlay) Top() elf.Source { return elf.FromTree(o.top) }

// Lookup implements [elf.Source].
func (o *Overlay) Lookup(p string) (*rootfs.Node, error) {
	if n := o.top.Get(p); n != nil {
		return n, nil
	}
	return o.base.Lookup(p)
}

// List implements [elf.Source].
func (o *Overlay) List(p string) ([]string, error) {
	names, err := o.base.List(p)
	if err != nil {
		return nil, err
	}
	names = append(slices.Clone(names), o.names[p]...)
	slices.Sort(names)
	return slices.Compact(names), nil
}

// Unexplained lists what tree holds, directories apart, and k does not keep.
func (k *Keeper) Unexplained(tree *rootfs.Tree) []string {
	var out []string
	for n := range tree.All() {
		if n.Type != rootfs.Directory && !k.Has(n.Path) {
			out = append(out, n.Path)
		}
	}
	return out
}
