package keep

import (
	"fmt"
	"path"
	"strings"

	"github.com/immure-dev/immure/internal/rootfs"
)

// follow gives the node that p leads to and keeps the links on the way.
func (k *Keeper) follow(p, why string) (*rootfs.Node, error) {
	var links []*rootfs.Node
	n, err := resolve(k.files.Lookup, p, &links)
	if err != nil {
		return nil, err
	}
	for _, l := range links {
		if err := k.node(l, why); err != nil {
			return nil, err
		}
	}
	return n, nil
}

// resolve follows p from the root. A link with more ".." than there are
// directories above it is an error, although a process would only get to the
// root: it was made for another place.
func resolve(lookup func(string) (*rootfs.Node, error), p string, links *[]*rootfs.Node) (*rootfs.Node, error) {
	at := &rootfs.Node{Path: "/", Type: rootfs.Directory}
	rest := strings.Split(p, "/")
	followed := 0
	for len(rest) > 0 {
		name := rest[0]
		rest = rest[1:]
		if name == "" || name == "." {
			continue
		}
		if at.Type != rootfs.Directory {
			return nil, fmt.Errorf("follow %q: %q is a %s", p, at.Path, at.Type)
		}
		if name == ".." {
			if at.Path == "/" {
				return nil, fmt.Errorf("follow %q: a symbolic link leads out of the tree", p)
			}
			at = &rootfs.Node{Path: path.Dir(at.Path), Type: rootfs.Directory}
			continue
		}
		next := path.Join(at.Path, name)
		n, err := lookup(next)
		if err != nil {
			return nil, fmt.Errorf("follow %q: %w", p, err)
		}
		if n == nil {
			return nil, fmt.Errorf("follow %q: %q: %w", p, next, ErrMissing)
		}
		if n.Type != rootfs.Symlink {
			at = n
			continue
		}
		if followed++; followed > linksMax {
			return nil, fmt.Errorf("follow %q: more than %d symbolic links", p, linksMax)
		}
		*links = append(*links, n)
		if strings.HasPrefix(n.Target, "/") {
			at = &rootfs.Node{Path: "/", Type: rootfs.Directory}
		}
		rest = append(strings.Split(n.Target, "/"), rest...)
	}
	if n, err := lookup(at.Path); err == nil && n != nil {
		return n, nil // with its owner and mode, where ".." led to it
	}
	return at, nil
}
