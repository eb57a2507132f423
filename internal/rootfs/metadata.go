package rootfs

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// epoch is the access and modification time of all that is extracted.
var epoch = []unix.Timespec{{}, {}}

// setMetadata gives the open file what n says. The order matters: chown clears
// set-id bits and capabilities.
func setMetadata(fd int, n *Node) error {
	if err := unix.Fchown(fd, int(n.UID), int(n.GID)); err != nil {
		return fmt.Errorf("chown to %d:%d: %w", n.UID, n.GID, err)
	}
	if err := unix.Fchmod(fd, n.Mode); err != nil {
		return fmt.Errorf("chmod: %w", err)
	}
	if n.Mode&0o7000 != 0 {
		// Without CAP_FSETID the kernel drops set-id bits and says nothing.
		var st unix.Stat_t
		if err := unix.Fstat(fd, &st); err != nil {
			return fmt.Errorf("stat: %w", err)
		}
		if got := st.Mode & 0o7777; got != n.Mode {
			return fmt.Errorf("chmod to %#o left mode %#o: root's rights are needed", n.Mode, got)
		}
	}
	if n.Capability != nil {
		if err := unix.Fsetxattr(fd, capabilityAttribute, n.Capability, 0); err != nil {
			return fmt.Errorf("set %s: %w", capabilityAttribute, err)
		}
	}
	if err := unix.UtimesNanoAt(fd, "", epoch, unix.AT_EMPTY_PATH); err != nil {
		return fmt.Errorf("set times: %w", err)
	}
	return nil
}

// setMetadataAt does the same by name for what has no descriptor. The directory
// belongs to the caller alone, so nobody can swap the name.
func setMetadataAt(dirfd int, name string, n *Node) error {
	if err := unix.Fchownat(dirfd, name, int(n.UID), int(n.GID), unix.AT_SYMLINK_NOFOLLOW); err != nil {
		return fmt.Errorf("chown to %d:%d: %w", n.UID, n.GID, err)
	}
	if n.Type != Symlink {
		if err := unix.Fchmodat(dirfd, name, n.Mode, 0); err != nil {
			return fmt.Errorf("chmod: %w", err)
		}
	}
	if err := unix.UtimesNanoAt(dirfd, name, epoch, unix.AT_SYMLINK_NOFOLLOW); err != nil {
		return fmt.Errorf("set times: %w", err)
	}
	return nil
}

// mknodMode is the file type of a device or pipe as mknod takes it.
func (n *Node) mknodMode() uint32 {
	switch n.Type {
	case CharDevice:
		return unix.S_IFCHR | 0o600
	case BlockDevice:
		return unix.S_IFBLK | 0o600
	}
	return unix.S_IFIFO | 0o600
}
