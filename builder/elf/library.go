package elf

import "github.com/immure-dev/immure/internal/rootfs"

// IsLibrary reports whether n is a shared object for the machine arch, as in
// GOARCH, that a program may open by itself: it needs others or has a name, and
// is no program. What ld.so would not load, such as a file for another machine
// or one that is not whole, is none. The error is one of reading.
func IsLibrary(n *rootfs.Node, arch string) (bool, error) {
	if n == nil || n.Type != rootfs.Regular || n.Size < fileHeaderSize {
		return false, nil
	}
	r, closer, err := open(n)
	if err != nil {
		return false, err
	}
	defer closer.Close()
	o, err := parse(r, n.Size, machines[arch].elf)
	if err != nil {
		return false, nil
	}
	return o.soname != "" || (o.interp == "" && len(o.needed) > 0), nil
}
