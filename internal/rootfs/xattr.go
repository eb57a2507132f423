package rootfs

import (
	"fmt"
	"strings"
)

// capabilityAttribute is the one extended attribute that a tree keeps.
const capabilityAttribute = "security.capability"

// meaningful lists the attributes that make a file another one to whoever reads
// it: overlay file systems take them for whiteouts, redirections and owners.
// Sources: Documentation/filesystems/overlayfs.rst; fuse-overlayfs(1).
var meaningful = []string{
	"trusted.overlay.",
	"user.overlay.",
	"user.fuseoverlayfs.",
	"user.containers.override_",
}

// dropped lists the attributes that belong to the machine or storage that a
// file was read from and give the service nothing.
var dropped = []string{
	"user.",
	"trusted.",
	"btrfs.",
	"security.selinux",
	"security.ima",
	"security.evm",
}

// keepAttribute says whether the extended attribute is kept (true), dropped
// without loss of meaning (false), or refused.
func keepAttribute(name string) (bool, error) {
	if name == capabilityAttribute {
		return true, nil
	}
	for _, prefix := range meaningful {
		if strings.HasPrefix(name, prefix) {
			return false, fmt.Errorf("extended attribute %.100q changes what the file is", name)
		}
	}
	for _, prefix := range dropped {
		if strings.HasPrefix(name, prefix) {
			return false, nil
		}
	}
	// Access control lists (system.posix_acl_*) widen the mode; the rest is
	// unknown and may do the same.
	return false, fmt.Errorf("extended attribute %.100q has no place in an image: remove it with setfattr -x", name)
}
