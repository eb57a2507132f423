package keep

import (
	"errors"
	"fmt"
	"path"
	"slices"

	"github.com/immure-dev/immure/builder/elf"
	"github.com/immure-dev/immure/internal/rootfs"
)

// linksMax is the most symbolic links on the way to one file.
// Source: include/linux/namei.h, MAXSYMLINKS.
const linksMax = 40

// ErrMissing reports a path that the source does not hold.
var ErrMissing = errors.New("no such file")

// A Keeper collects what an image keeps of a source.
type Keeper struct {
	src       elf.Source
	files     elf.Source // what Path may take
	tree      *rootfs.Tree
	why       map[string]string
	seen      map[string]bool // links and directories that were followed
	execStack []string
}

// New returns a Keeper of files of src. The source's nodes are copied as they
// are, but for directories: these lose setuid, setgid and sticky bits and are
// writable to their owner alone.
func New(src elf.Source) *Keeper {
	k := &Keeper{src: src, files: src, tree: new(rootfs.Tree), why: make(map[string]string), seen: make(map[string]bool)}
	k.why["/"] = "root"
	// The mode of the root is left out of a tree digest; engines change it.
	k.put(rootfs.Node{Path: "/", Type: rootfs.Directory, Mode: 0o755}, "root")
	return k
}

// Only lets [Keeper.Path] take files of the given part of the source alone. The
// rest serves closures.
func (k *Keeper) Only(files elf.Source) { k.files = files }

// Why gives the reason for each path that is kept.
func (k *Keeper) Why() map[string]string { return k.why }

// ExecStack names each file because of which the stack would be executable.
func (k *Keeper) ExecStack() []string { return k.execStack }

// Has reports whether the path itself is kept.
func (k *Keeper) Has(p string) bool { return k.tree.Get(p) != nil }

// Get returns the kept node at p, or nil.
func (k *Keeper) Get(p string) *rootfs.Node { return k.tree.Get(p) }

// put adds a node whose path is known to be clean.
func (k *Keeper) put(n rootfs.Node, why string) {
	if k.tree.Get(n.Path) != nil && (n.Type == rootfs.Directory) {
		return
	}
	if err := k.tree.Put(n); err != nil {
		panic(err) // paths come from a tree, or were checked in the service file
	}
	if _, ok := k.why[n.Path]; !ok || k.why[n.Path] == holds {
		k.why[n.Path] = why
	}
}

// holds is why a directory is there that no one asked for itself.
const holds = "holds kept files"

// parents keeps the directories above p.
func (k *Keeper) parents(p string) error {
	dir := path.Dir(p)
	if n := k.tree.Get(dir); n != nil {
		if n.Type != rootfs.Directory {
			return fmt.Errorf("keep %q: %q is a %s in the image", p, dir, n.Type)
		}
		return nil
	}
	if err := k.parents(dir); err != nil {
		return err
	}
	n, err := k.src.Lookup(dir)
	if err != nil {
		return fmt.Errorf("keep %q: %w", p, err)
	}
	if n == nil || n.Type != rootfs.Directory {
		n = &rootfs.Node{Path: dir, Type: rootfs.Directory, Mode: 0o755}
	}
	k.put(directory(n), holds)
	return nil
}

func directory(n *rootfs.Node) rootfs.Node {
	d := *n
	d.Mode &= 0o755
	return d
}

// node keeps n as it is.
func (k *Keeper) node(n *rootfs.Node, why string) error {
	if n.Path == "/" {
		return nil
	}
	if err := k.parents(n.Path); err != nil {
		return err
	}
	if old := k.tree.Get(n.Path); old != nil && old.Type != n.Type {
		return fmt.Errorf("keep %q: it is a %s and a %s at once", n.Path, old.Type, n.Type)
	}
	if n.Type == rootfs.Directory {
		k.put(directory(n), why)
	} else {
		k.put(*n, why)
	}
	return nil
}

// Add keeps a node that the builder made itself.
func (k *Keeper) Add(n rootfs.Node, why string) error {
	if old := k.tree.Get(n.Path); old != nil && old.Type != n.Type {
		return fmt.Errorf("add %q: the image has a %s there", n.Path, old.Type)
	}
	return k.node(&n, why)
}

// Closure keeps the program and all that it needs to start, and returns what
// was found.
func (k *Keeper) Closure(program string, opts elf.Options, why string) (*elf.Result, error) {
	r, err := elf.Closure(k.src, program, opts)
	if err != nil {
		return nil, err
	}
	for _, f := range r.Files {
		reason := f.Why
		if f.Path == r.Program {
			reason = why
		}
		if err := k.node(f.Node, reason); err != nil {
			return nil, err
		}
	}
	if r.Cache != nil {
		n := rootfs.Node{Path: "/etc/ld.so.cache", Type: rootfs.Regular, Mode: 0o444, Size: int64(len(r.Cache)), Content: rootfs.Bytes(r.Cache)}
		if err := k.node(&n, "libraries of "+r.Program+" in directories of ld.so.conf"); err != nil {
			return nil, err
		}
	}
	for _, e := range r.ExecStack {
		if !slices.Contains(k.execStack, e) {
			k.execStack = append(k.execStack, e)
		}
	}
	return r, nil
}

// Path keeps what p leads to, everything beneath it when that is a directory,
// and every link on the way. It returns where p really leads. The error wraps
// [ErrMissing] when the source does not hold p.
func (k *Keeper) Path(p, why string) (real string, err error) {
	n, err := k.follow(p, why)
	if err != nil {
		return "", err
	}
	return n.Path, k.beneath(n, why)
}

// beneath keeps n and what it holds.
func (k *Keeper) beneath(n *rootfs.Node, why string) error {
	if n.Path == "/" {
		return fmt.Errorf("keep %q: that is the whole source: name what is needed in it", n.Path)
	}
	if k.seen[n.Path] {
		return nil
	}
	k.seen[n.Path] = true
	if err := k.node(n, why); err != nil {
		return err
	}
	if n.Type == rootfs.Symlink {
		at, err := k.follow(n.Path, "where "+n.Path+" leads: "+why)
		if errors.Is(err, ErrMissing) {
			return nil // as the source has it; /proc and the like come at run time
		}
		if err != nil {
			return err
		}
		return k.beneath(at, "where "+n.Path+" leads: "+why)
	}
	if n.Type != rootfs.Directory {
		return nil
	}
	names, err := k.files.List(n.Path)
	if err != nil {
		return fmt.Errorf("keep %q: %w", n.Path, err)
	}
	for _, name := range names {
		p := path.Join(n.Path, name)
		child, err := k.files.Lookup(p)
		if err != nil {
			return fmt.Errorf("keep %q: %w", p, err)
		}
		if child == nil {
			return fmt.Errorf("keep %q: %w", p, ErrMissing)
		}
		if err := k.beneath(child, why); err != nil {
			return err
		}
	}
	return nil
}
