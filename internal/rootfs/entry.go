package rootfs

import (
	"archive/tar"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Prefixes of PAX records. Sources: star(5), libarchive-formats(5), GNU tar
// manual section "Storing Sparse Files".
const (
	paxXattr     = "SCHILY.xattr."
	paxXattrBSD  = "LIBARCHIVE.xattr."
	paxACL       = "SCHILY.acl."
	paxSparseGNU = "GNU.sparse."
	paxRealSize  = "SCHILY.realsize"
)

// entryPath gives the path that h stands for.
func entryPath(h *tar.Header) (string, error) {
	// Some readers make a directory of any name that ends in a slash.
	if strings.HasSuffix(h.Name, "/") && h.Typeflag != tar.TypeDir {
		return "", errors.New("name ends in a slash but is no directory")
	}
	return cleanName(h.Name)
}

// checkGlobal lets a global header pass only if it says nothing about the
// entries after it, for not every reader applies it to them.
func checkGlobal(h *tar.Header) error {
	for key := range h.PAXRecords {
		if key != "comment" {
			return fmt.Errorf("global header sets %.100q", key)
		}
	}
	return nil
}

// node makes the node at p that h describes, a regular file without its
// content.
func (a *applier) node(p string, h *tar.Header) (*Node, error) {
	n := &Node{Path: p, Type: Regular}
	// Readers differ on whether bytes follow the header of such an entry.
	if h.Typeflag != tar.TypeReg && h.Size != 0 {
		return nil, fmt.Errorf("size of %d bytes on an entry that is no regular file", h.Size)
	}
	if err := n.setOwner(h); err != nil {
		return nil, err
	}
	if err := n.setAttributes(h); err != nil {
		return nil, err
	}
	switch h.Typeflag {
	case tar.TypeReg:
		n.Size = h.Size
	case tar.TypeDir:
		n.Type = Directory
	case tar.TypeSymlink:
		n.Type, n.Target, n.Mode = Symlink, h.Linkname, 0
	case tar.TypeFifo:
		n.Type = FIFO
	case tar.TypeChar, tar.TypeBlock:
		n.Type = CharDevice
		if h.Typeflag == tar.TypeBlock {
			n.Type = BlockDevice
		}
		if h.Devmajor < 0 || h.Devmajor > majorMax || h.Devminor < 0 || h.Devminor > minorMax {
			return nil, fmt.Errorf("device number %d:%d is out of range", h.Devmajor, h.Devminor)
		}
		n.Major, n.Minor = uint32(h.Devmajor), uint32(h.Devminor)
	case tar.TypeLink:
		return a.link(n, h)
	case tar.TypeGNUSparse:
		return nil, errors.New("sparse file: write the layer without --sparse")
	default:
		return nil, fmt.Errorf("unsupported entry type %q", h.Typeflag)
	}
	return n, nil
}

// link makes a second name of the node that h links to.
func (a *applier) link(n *Node, h *tar.Header) (*Node, error) {
	to, err := cleanName(h.Linkname)
	if err != nil {
		return nil, fmt.Errorf("hard link target: %w", err)
	}
	if to == n.Path {
		return nil, errors.New("hard link to itself")
	}
	if err := a.checkLinkParents(to); err != nil {
		return nil, err
	}
	target := a.tree.Get(to)
	switch {
	case target == nil:
		return nil, fmt.Errorf("hard link to %.200q, which does not exist", to)
	case target.Type == Directory:
		return nil, fmt.Errorf("hard link to %.200q, a directory", to)
	}
	// Runtimes let the link's header change the owner and mode of both names.
	if n.UID != target.UID || n.GID != target.GID || (target.Type != Symlink && n.Mode != target.Mode) {
		return nil, fmt.Errorf("hard link to %.200q with another owner or mode", to)
	}
	if n.Capability != nil && string(n.Capability) != string(target.Capability) {
		return nil, fmt.Errorf("hard link to %.200q with another security.capability", to)
	}
	linked := *target
	linked.Path = n.Path
	return &linked, nil
}

// checkLinkParents tells a target that is reached through a symbolic link from
// one that is missing.
func (a *applier) checkLinkParents(to string) error {
	for i := 1; i < len(to); i++ {
		if to[i] != '/' {
			continue
		}
		if n := a.tree.Get(to[:i]); n != nil && n.Type != Directory {
			return fmt.Errorf("hard link through %.200q, a %s", to[:i], n.Type)
		}
	}
	return nil
}

func (n *Node) setOwner(h *tar.Header) error {
	for _, id := range []int{h.Uid, h.Gid} {
		if id < 0 || int64(id) >= idInvalid {
			return fmt.Errorf("owner %d is not a valid identifier", id)
		}
	}
	n.UID, n.GID = uint32(h.Uid), uint32(h.Gid)
	// Some writers leave st_mode's file type bits in place.
	if h.Mode < 0 || h.Mode > 0o177777 {
		return fmt.Errorf("mode %#o is out of range", h.Mode)
	}
	n.Mode = uint32(h.Mode & 0o7777)
	return nil
}

// setAttributes reads the PAX records that archive/tar leaves alone.
func (n *Node) setAttributes(h *tar.Header) error {
	for _, key := range slices.Sorted(maps.Keys(h.PAXRecords)) {
		switch {
		case strings.HasPrefix(key, paxSparseGNU), key == paxRealSize:
			return errors.New("sparse file: write the layer without --sparse")
		case strings.HasPrefix(key, paxACL):
			return errors.New("access control list: write the layer without --acls")
		}
		name, isXattr := strings.CutPrefix(key, paxXattr)
		foreign, isForeign := strings.CutPrefix(key, paxXattrBSD)
		if isForeign {
			name = foreign
		}
		if !isXattr && !isForeign {
			continue
		}
		keep, err := keepAttribute(name)
		if err != nil {
			return err
		}
		if keep && isForeign {
			return fmt.Errorf("%s in libarchive's spelling, which runtimes do not read", name)
		}
		if keep {
			n.Capability = []byte(h.PAXRecords[key])
		}
	}
	return nil
}
