package elf

import (
	"fmt"
	"io"
	"path"
	"strings"

	"github.com/immure-dev/immure/internal/rootfs"
)

// Bounds of the walk. The number of links is the kernel's (MAXSYMLINKS).
const (
	maxLinks      = 40
	maxPathBytes  = 4096
	maxWholeBytes = 256 << 20
)

// A found is where a path leads.
type found struct {
	name string       // as asked for; what $ORIGIN is taken from
	real string       // absolute, clean, without links
	node *rootfs.Node // at real
	way  []*rootfs.Node
	// way is every link that was followed, and every directory that ".." was
	// taken from: without them the kernel does not get to real.
}

// lookup follows p, which is absolute but need not be clean, as the kernel
// does in a process whose root the source is. It returns nil when nothing is
// there.
func lookup(src Source, p string) (*found, error) {
	f := &found{name: p, real: "/"}
	todo, links := p, 0
	for {
		var part string
		part, todo, _ = strings.Cut(strings.TrimLeft(todo, "/"), "/")
		if part == "" {
			break
		}
		if len(part)+len(todo)+len(f.real) > maxPathBytes {
			return nil, fmt.Errorf("look up %q: path is longer than %d bytes", p, maxPathBytes)
		}
		if part == "." {
			continue
		}
		if part == ".." {
			if f.real != "/" {
				n, err := src.Lookup(f.real)
				if err != nil || n == nil {
					return nil, err
				}
				f.way = append(f.way, n)
			}
			f.real = path.Dir(f.real)
			continue
		}
		at := path.Join(f.real, part)
		n, err := src.Lookup(at)
		if err != nil {
			return nil, fmt.Errorf("look up %q: %w", p, err)
		}
		if n == nil {
			return nil, nil
		}
		switch {
		case n.Type == rootfs.Symlink:
			if links++; links > maxLinks {
				return nil, fmt.Errorf("look up %q: more than %d symbolic links", p, maxLinks)
			}
			f.way = append(f.way, n)
			if path.IsAbs(n.Target) {
				f.real = "/"
			}
			todo = n.Target + "/" + todo
		case n.Type != rootfs.Directory && strings.Trim(todo, "/") != "":
			return nil, nil
		default:
			f.real, f.node = at, n
		}
	}
	if f.node == nil || f.node.Path != f.real {
		n, err := src.Lookup(f.real)
		if err != nil || n == nil {
			return nil, err
		}
		f.node = n
	}
	return f, nil
}

// open gives random access to the content of n, and its size.
func open(n *rootfs.Node) (io.ReaderAt, io.Closer, error) {
	if n.Content == nil {
		return nil, nil, fmt.Errorf("open %q: no content", n.Path)
	}
	rc, err := n.Content.Open()
	if err != nil {
		return nil, nil, fmt.Errorf("open %q: %w", n.Path, err)
	}
	if at, ok := rc.(io.ReaderAt); ok {
		return at, rc, nil
	}
	defer rc.Close()
	if n.Size > maxWholeBytes {
		return nil, nil, fmt.Errorf("open %q: %d bytes, limit %d", n.Path, n.Size, maxWholeBytes)
	}
	b, err := io.ReadAll(io.LimitReader(rc, n.Size))
	if err != nil {
		return nil, nil, fmt.Errorf("read %q: %w", n.Path, err)
	}
	return strings.NewReader(string(b)), io.NopCloser(nil), nil
}
