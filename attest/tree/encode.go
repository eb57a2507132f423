package tree

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/immure-dev/immure/internal/rootfs"
)

// A sum is a SHA-256 digest.
type sum [32]byte

// appendNode appends the encoding of n, whose file digest is content if it is a
// regular file.
func appendNode(b []byte, n *rootfs.Node, content sum) ([]byte, error) {
	mode := n.Mode
	if n.Path == "/" {
		mode = 0 // engines change it
	}
	b = appendString(b, n.Path)
	b = append(b, byte(n.Type))
	b = binary.BigEndian.AppendUint32(b, mode)
	b = binary.BigEndian.AppendUint32(b, n.UID)
	b = binary.BigEndian.AppendUint32(b, n.GID)
	switch n.Type {
	case rootfs.Directory, rootfs.FIFO:
		return b, nil
	case rootfs.Regular:
		return appendCapability(append(b, content[:]...), n.Capability)
	case rootfs.Symlink:
		return appendString(b, n.Target), nil
	case rootfs.CharDevice, rootfs.BlockDevice:
		b = binary.BigEndian.AppendUint32(b, n.Major)
		return binary.BigEndian.AppendUint32(b, n.Minor), nil
	}
	return nil, fmt.Errorf("no encoding for a %s", n.Type)
}

func appendString(b []byte, s string) []byte {
	b = binary.BigEndian.AppendUint32(b, uint32(len(s)))
	return append(b, s...)
}

// The first word of security.capability.
// Source: include/uapi/linux/capability.h, vfs_cap_data and vfs_ns_cap_data.
const (
	capRevisionMask  = 0xff000000
	capRevision2     = 0x02000000
	capRevision3     = 0x03000000
	capFlagEffective = 0x000001
)

// appendCapability appends what raw, a value of security.capability, means.
// Revision 2 is revision 3 for the root of the initial user namespace, as in
// the kernel (security/commoncap.c, get_vfs_caps_from_disk).
func appendCapability(b, raw []byte) ([]byte, error) {
	if raw == nil {
		return append(b, 0), nil
	}
	if len(raw) < 4 {
		return nil, errors.New("security.capability is too short")
	}
	word := func(i int) uint32 { return binary.LittleEndian.Uint32(raw[4*i:]) }
	magic, rootid, want := word(0), uint32(0), 20
	switch magic & capRevisionMask {
	case capRevision2:
	case capRevision3:
		want = 24
	default:
		return nil, fmt.Errorf("security.capability has revision %d, not 2 or 3", magic>>24)
	}
	if len(raw) != want {
		return nil, fmt.Errorf("security.capability holds %d bytes, not %d", len(raw), want)
	}
	if want == 24 {
		rootid = word(5)
	}
	if flags := magic &^ capRevisionMask; flags&^capFlagEffective != 0 {
		return nil, fmt.Errorf("security.capability has unknown flags %#x", flags)
	}
	b = append(b, 1, byte(magic&capFlagEffective))
	// On disk: the low words of permitted and inheritable, then the high ones.
	permitted := uint64(word(3))<<32 | uint64(word(1))
	inheritable := uint64(word(4))<<32 | uint64(word(2))
	b = binary.BigEndian.AppendUint64(b, permitted)
	b = binary.BigEndian.AppendUint64(b, inheritable)
	return binary.BigEndian.AppendUint32(b, rootid), nil
}
