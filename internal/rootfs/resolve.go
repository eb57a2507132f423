package rootfs

import (
	"fmt"
	"path"
	"strings"

	"golang.org/x/sys/unix"
)

// linksMax is the most symbolic links in one look-up.
// Source: include/linux/namei.h, MAXSYMLINKS.
const linksMax = 40

// Resolve follows p as a process would whose root is t, the symbolic link at
// its end included, and gives the node there with its real path, which holds no
// link and no "..". The error is an [io/fs.ErrNotExist] when a name is missing:
// the path is then the missing one's, real up to its last name.
func (t *Tree) Resolve(p string) (*Node, string, error) {
	here, links := "/", 0
	rest := strings.Split(p, "/")
	for len(rest) > 0 {
		name := rest[0]
		rest = rest[1:]
		// Even of an empty name, as after a slash at the end.
		if at := t.Get(here); at != nil && at.Type != Directory {
			return nil, here, fmt.Errorf("resolve %q: %q: %w", p, here, unix.ENOTDIR)
		}
		if name == "" || name == "." {
			continue
		}
		if name == ".." {
			here = path.Dir(here)
			continue
		}
		next := path.Join(here, name)
		n := t.Get(next)
		if n == nil {
			return nil, next, fmt.Errorf("resolve %q: %q: %w", p, next, unix.ENOENT)
		}
		if n.Type != Symlink {
			here = next
			continue
		}
		if links++; links > linksMax {
			return nil, next, fmt.Errorf("resolve %q: %w", p, unix.ELOOP)
		}
		if strings.HasPrefix(n.Target, "/") {
			here = "/"
		}
		rest = append(strings.Split(n.Target, "/"), rest...)
	}
	n := t.Get(here)
	if n == nil {
		return nil, here, fmt.Errorf("resolve %q: %q: %w", p, here, unix.ENOENT)
	}
	return n, here, nil
}
