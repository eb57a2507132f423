package keep

import (
	"errors"
	"fmt"
	"math"
	"path"

	"github.com/immure-dev/immure/internal/rootfs"
)

// A Judge says how strict [Keeper.Tree] is.
type Judge struct {
	// UID and GID are the service's, which must be able to read every file.
	UID, GID uint32
	// Waived reports whether the author has waived a grant of a facet, such
	// as "setuid /usr/bin/su" of "user.uid".
	Waived func(facet, grant string) bool
}

// A GrantError reports a file that would grant more than its content.
type GrantError struct {
	Path, Facet, Grant string
	Mend               string
}

func (e *GrantError) Error() string {
	return fmt.Sprintf("%s: %s: %s, or add to waivers {facet: %s, grant: %q, reason: …, expires: …}", e.Path, e.Grant, e.Mend, e.Facet, e.Grant)
}

// Tree gives everything that is kept, once nothing in it is out of place.
func (k *Keeper) Tree(j Judge) (*rootfs.Tree, error) {
	for n := range k.tree.All() {
		if err := j.node(n); err != nil {
			return nil, err
		}
		if n.Type == rootfs.Symlink {
			if err := k.link(n); err != nil {
				return nil, err
			}
		}
		if n.Type == rootfs.Regular && !k.readable(n, j) {
			return nil, fmt.Errorf("%s: user %d:%d cannot read it (owner %d:%d, mode %04o): change its mode or owner",
				n.Path, j.UID, j.GID, n.UID, n.GID, n.Mode)
		}
	}
	if err := k.tree.Check(); err != nil {
		return nil, err
	}
	return k.tree, nil
}

func (j Judge) node(n *rootfs.Node) error {
	switch n.Type {
	case rootfs.CharDevice, rootfs.BlockDevice, rootfs.FIFO:
		return fmt.Errorf("%s: a %s has no place in an image", n.Path, n.Type)
	}
	if n.UID > math.MaxInt32 || n.GID > math.MaxInt32 {
		return fmt.Errorf("%s: owner %d:%d is above %d", n.Path, n.UID, n.GID, math.MaxInt32)
	}
	if n.Type != rootfs.Regular {
		return nil
	}
	if n.Mode&0o002 != 0 {
		return fmt.Errorf("%s: anyone may write this file (mode %04o): take the bit away", n.Path, n.Mode)
	}
	var grants []GrantError
	if n.Mode&0o4000 != 0 {
		grants = append(grants, GrantError{n.Path, "user.uid", "setuid " + n.Path, "take the bit away"})
	}
	if n.Mode&0o2000 != 0 {
		grants = append(grants, GrantError{n.Path, "user.gid", "setgid " + n.Path, "take the bit away"})
	}
	if n.Capability != nil {
		grants = append(grants, GrantError{n.Path, "capabilities.permitted", "file capability " + n.Path, "remove the attribute"})
	}
	for _, g := range grants {
		if !j.Waived(g.Facet, g.Grant) {
			return &g
		}
	}
	return nil
}

// link refuses a link that leads out of the tree, or in circles. One that leads
// to nothing is as its source has it.
func (k *Keeper) link(n *rootfs.Node) error {
	var links []*rootfs.Node
	_, err := resolve(func(p string) (*rootfs.Node, error) { return k.tree.Get(p), nil }, n.Path, &links)
	if err != nil && !errors.Is(err, ErrMissing) {
		return fmt.Errorf("symbolic link to %q: %w", n.Target, err)
	}
	return nil
}

// readable reports whether the service's user gets at a regular file.
func (k *Keeper) readable(n *rootfs.Node, j Judge) bool {
	if !permits(n, j, 4) {
		return false
	}
	for p := n.Path; p != "/"; {
		p = path.Dir(p)
		if d := k.tree.Get(p); d != nil && !permits(d, j, 1) {
			return false
		}
	}
	return true
}

// permits applies the permission bits as the kernel does for a user without
// capabilities. Source: fs/namei.c, acl_permission_check.
func permits(n *rootfs.Node, j Judge, want uint32) bool {
	mode := n.Mode
	switch {
	case n.UID == j.UID:
		mode >>= 6
	case n.GID == j.GID:
		mode >>= 3
	}
	return mode&want == want
}
