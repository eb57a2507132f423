package rootfs

import (
	"errors"
	"fmt"
	"path"
	"strings"
	"unicode/utf8"
)

// The kernel's own bounds on names, without the NUL that ends them.
// Source: include/uapi/linux/limits.h, PATH_MAX and NAME_MAX.
const (
	pathMaxBytes = 4095
	nameMaxBytes = 255
)

// whiteoutPrefix marks a name that hides one of a lower layer, so no file of a
// tree can carry it. Source: OCI image-spec, layer.md, section "Whiteouts".
const whiteoutPrefix = ".wh."

// Limits bounds what [Tree.Apply] and [ReadDir] accept. The zero value accepts
// nothing; start from [DefaultLimits]. Beside these, a path or link target has
// at most 4095 bytes and one name at most 255, as in the kernel.
type Limits struct {
	// Nodes is the most nodes that a tree may hold, and the most entries that
	// one layer may have, counting repeated names, whiteouts and the parents
	// that it leaves out.
	Nodes int
	// Bytes is the most that all regular files of a tree, or all those of one
	// layer, may hold together; a file with two names counts twice.
	Bytes int64
	// NameBytes is the most that all paths and link targets hold together.
	NameBytes int64
	// Depth is the most names in one path: "/usr/bin/hello" has three.
	Depth int
}

// DefaultLimits has room for any image that one service needs: half a million
// files, 16 GiB.
var DefaultLimits = Limits{
	Nodes:     1 << 19,
	Bytes:     16 << 30,
	NameBytes: 64 << 20,
	Depth:     128,
}

// layerBytes is the most that one layer's archive may hold: the contents and,
// for each entry, its headers and padding.
func (l Limits) layerBytes() int64 { return l.Bytes + int64(l.Nodes)*(8<<10) + (1 << 20) }

// A meter counts nodes against Limits.
type meter struct {
	limits Limits
	nodes  int
	bytes  int64
	names  int64
}

// entry counts one entry that may or may not become a node.
func (m *meter) entry() error {
	if m.nodes++; m.nodes > m.limits.Nodes {
		return fmt.Errorf("more than %d entries", m.limits.Nodes)
	}
	return nil
}

// node counts n as an entry and measures it.
func (m *meter) node(n *Node) error {
	if err := m.entry(); err != nil {
		return err
	}
	return m.measure(n)
}

// measure counts what n holds.
func (m *meter) measure(n *Node) error {
	if depth(n.Path) > m.limits.Depth {
		return fmt.Errorf("path has more than %d names", m.limits.Depth)
	}
	m.names += int64(len(n.Path) + len(n.Target))
	if m.names > m.limits.NameBytes {
		return fmt.Errorf("paths and link targets hold more than %d bytes", m.limits.NameBytes)
	}
	// Compared before adding: sizes come from outside and may overflow.
	if n.Size < 0 || n.Size > m.limits.Bytes-m.bytes {
		return fmt.Errorf("files hold more than %d bytes", m.limits.Bytes)
	}
	m.bytes += n.Size
	return nil
}

func depth(p string) int {
	if p == "/" {
		return 0
	}
	return strings.Count(p, "/")
}

// cleanName gives the path in the tree that an archive's name stands for. A
// name is always relative to the root, with or without a slash in front.
func cleanName(name string) (string, error) {
	if name == "" {
		return "", errors.New("name is empty")
	}
	if err := checkText(name); err != nil {
		return "", err
	}
	for part := range strings.SplitSeq(name, "/") {
		if part == ".." {
			return "", errors.New(`name contains ".."`)
		}
	}
	return path.Clean("/" + name), nil
}

// checkPath says whether p can be the path of a node.
func checkPath(p string) error {
	if err := checkText(p); err != nil {
		return err
	}
	if !strings.HasPrefix(p, "/") || p != path.Clean(p) {
		return errors.New("path is not absolute and clean")
	}
	for part := range strings.SplitSeq(p[1:], "/") {
		if len(part) > nameMaxBytes {
			return fmt.Errorf("a name is longer than %d bytes", nameMaxBytes)
		}
		if strings.HasPrefix(part, whiteoutPrefix) {
			return fmt.Errorf("name %q is that of a whiteout", part)
		}
	}
	return nil
}

// checkText says whether s can be a path or a link target.
func checkText(s string) error {
	switch {
	case len(s) > pathMaxBytes:
		return fmt.Errorf("longer than %d bytes", pathMaxBytes)
	case strings.ContainsRune(s, 0):
		return errors.New("contains a NUL byte")
	case !utf8.ValidString(s):
		return errors.New("not valid UTF-8")
	}
	return nil
}
