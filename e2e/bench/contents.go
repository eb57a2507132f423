package main

import (
	"fmt"
	"io"
	"path"
	"slices"
	"strings"

	"github.com/immure-dev/immure/internal/rootfs"
)

// shells are the names under which command interpreters are installed.
// Source: what Debian's packages add to shells(5), and busybox.
var shells = []string{"ash", "bash", "busybox", "csh", "dash", "fish", "ksh", "ksh93", "mksh", "posh", "sh", "tcsh", "yash", "zsh"}

// Contents is what a root file system holds, all layers unpacked.
type contents struct {
	bytes int64 // of the layers as archives, headers and padding included
	tree  rootfs.Tree
}

// add puts a layer, an uncompressed tar archive, on top.
func (c *contents) add(layer io.Reader) error {
	var n counted
	err := c.tree.Apply(io.TeeReader(layer, &n), nowhere{}, rootfs.DefaultLimits)
	c.bytes += int64(n)
	return err
}

// row is megabytes, files (directories apart, as immure build counts them),
// setuid files and shells, in the order of rowTitle.
func (c *contents) row() string {
	var files, setuid int
	var names []string
	for n := range c.tree.All() {
		if n.Type != rootfs.Directory {
			files++
		}
		if n.Type != rootfs.Regular {
			continue // a link to a shell needs the shell
		}
		if n.Mode&0o4000 != 0 {
			setuid++
		}
		if name := path.Base(n.Path); n.Mode&0o111 != 0 && slices.Contains(shells, name) {
			names = append(names, name)
		}
	}
	if names == nil {
		names = []string{"none"}
	}
	return fmt.Sprintf("%7.1f  %6d  %6d  %s", mb(c.bytes), files, setuid, strings.Join(names, ", "))
}

// under is the size of the files in some directories, in bytes. A directory
// ends in a slash.
func (c *contents) under(dirs ...string) (sum int64) {
	for n := range c.tree.All() {
		if slices.ContainsFunc(dirs, func(dir string) bool { return strings.HasPrefix(n.Path, dir) }) {
			sum += n.Size
		}
	}
	return sum
}

const rowTitle = "     MB   files  setuid  shells"

// A counted is the number of bytes written to it.
type counted int64

func (c *counted) Write(p []byte) (int, error) {
	*c += counted(len(p))
	return len(p), nil
}

// A nowhere is a [rootfs.Store] that keeps nothing: only sizes and modes count.
type nowhere struct{}

func (nowhere) Put(r io.Reader, size int64) (rootfs.Content, error) {
	n, err := io.Copy(io.Discard, r)
	if err == nil && n != size {
		err = io.ErrUnexpectedEOF
	}
	return rootfs.Bytes(nil), err
}
