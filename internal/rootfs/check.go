package rootfs

import (
	"errors"
	"fmt"
	"path"
)

// Bounds of a device number in the kernel.
// Source: include/linux/kdev_t.h, MINORBITS.
const (
	majorMax = 1<<12 - 1
	minorMax = 1<<20 - 1
)

// capabilityMaxBytes is the length of the longest security.capability value.
// Source: include/uapi/linux/capability.h, XATTR_CAPS_SZ_3.
const capabilityMaxBytes = 24

// idInvalid is the identifier that chown takes for "leave as it is".
const idInvalid = 1<<32 - 1

// Check says whether t is a whole file system: it has a root, every parent is
// there and is a directory, and each node holds what its type needs and nothing
// else. The error names the first node, in path order, that does not.
func (t *Tree) Check() error {
	if t.nodes["/"] == nil {
		return errors.New("check tree: no root directory")
	}
	for n := range t.All() {
		if err := t.checkNode(n); err != nil {
			return fmt.Errorf("check tree: %q: %w", n.Path, err)
		}
	}
	return nil
}

func (t *Tree) checkNode(n *Node) error {
	if err := checkPath(n.Path); err != nil {
		return err
	}
	switch parent := t.nodes[path.Dir(n.Path)]; {
	case parent == nil:
		return errors.New("parent directory is missing")
	case parent.Type != Directory:
		return fmt.Errorf("parent is a %s", parent.Type)
	}
	return n.check()
}

// check looks at n alone.
func (n *Node) check() error {
	if n.Mode&^0o7777 != 0 {
		return fmt.Errorf("mode %#o has bits beyond 07777", n.Mode)
	}
	if n.UID == idInvalid || n.GID == idInvalid {
		return errors.New("owner is not a valid identifier")
	}
	if n.Path == "/" && n.Type != Directory {
		return fmt.Errorf("root is a %s", n.Type)
	}
	switch n.Type {
	case Directory, FIFO:
	case Regular:
		if n.Content == nil || n.Size < 0 {
			return errors.New("regular file without content")
		}
	case Symlink:
		if n.Mode != 0 {
			return errors.New("symbolic link with a mode")
		}
		if n.Target == "" {
			return errors.New("symbolic link without a target")
		}
		if err := checkText(n.Target); err != nil {
			return fmt.Errorf("link target: %w", err)
		}
	case CharDevice, BlockDevice:
		if n.Major > majorMax || n.Minor > minorMax {
			return fmt.Errorf("device number %d:%d is out of range", n.Major, n.Minor)
		}
		if n.Type == CharDevice && n.Major == 0 && n.Minor == 0 {
			return errors.New("character device 0:0 is an overlay whiteout")
		}
	default:
		return fmt.Errorf("unknown type %q", byte(n.Type))
	}
	return n.checkForeign()
}

// checkForeign refuses fields that n's type does not have: nothing would write
// them out, so two unequal trees would give one image.
func (n *Node) checkForeign() error {
	if n.Type != Regular {
		if n.Content != nil || n.Size != 0 {
			return fmt.Errorf("%s with content", n.Type)
		}
		if n.Capability != nil {
			return fmt.Errorf("%s with file capabilities", n.Type)
		}
	}
	if len(n.Capability) > capabilityMaxBytes {
		return fmt.Errorf("security.capability is longer than %d bytes", capabilityMaxBytes)
	}
	if n.Capability != nil && len(n.Capability) == 0 {
		return errors.New("security.capability is empty")
	}
	if n.Type != Symlink && n.Target != "" {
		return fmt.Errorf("%s with a link target", n.Type)
	}
	if n.Type != CharDevice && n.Type != BlockDevice && (n.Major != 0 || n.Minor != 0) {
		return fmt.Errorf("%s with a device number", n.Type)
	}
	return nil
}

// String names the type as a person would.
func (t Type) String() string {
	switch t {
	case Directory:
		return "directory"
	case Regular:
		return "regular file"
	case Symlink:
		return "symbolic link"
	case CharDevice:
		return "character device"
	case BlockDevice:
		return "block device"
	case FIFO:
		return "named pipe"
	}
	return fmt.Sprintf("file of type %q", byte(t))
}
