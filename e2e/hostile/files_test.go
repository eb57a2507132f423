//go:build e2e

package hostile_test

import (
	"path"
	"strings"
	"testing"

	"github.com/immure-dev/immure/attest/tree"
	"github.com/immure-dev/immure/internal/rootfs"
)

// A harm is one change to one node of a tree.
type harm struct {
	name string
	// fits says what it can be done to.
	fits func(n *rootfs.Node) bool
	do   func(tb testing.TB, t *rootfs.Tree, n *rootfs.Node)
}

func anything(*rootfs.Node) bool      { return true }
func regular(n *rootfs.Node) bool     { return n.Type == rootfs.Regular }
func link(n *rootfs.Node) bool        { return n.Type == rootfs.Symlink }
func directory(n *rootfs.Node) bool   { return n.Type == rootfs.Directory }
func hasMode(n *rootfs.Node) bool     { return n.Type != rootfs.Symlink }
func filled(n *rootfs.Node) bool      { return regular(n) && n.Size > 0 }
func (h harm) on(n *rootfs.Node) bool { return n.Path != "/" && h.fits(n) }

func changed(change func(n *rootfs.Node)) func(testing.TB, *rootfs.Tree, *rootfs.Node) {
	return func(_ testing.TB, _ *rootfs.Tree, n *rootfs.Node) { change(n) }
}

func flipped(at func(size int) int) func(testing.TB, *rootfs.Tree, *rootfs.Node) {
	return func(tb testing.TB, t *rootfs.Tree, n *rootfs.Node) {
		data := bytesOf(tb, t, n.Path)
		n.Content = rootfs.Bytes(flip(data, at(len(data))))
	}
}

// replaced puts another kind of file in the node's place.
func replaced(by rootfs.Node) func(testing.TB, *rootfs.Tree, *rootfs.Node) {
	return func(tb testing.TB, t *rootfs.Tree, n *rootfs.Node) {
		t.Remove(n.Path)
		by.Path = n.Path
		must(tb, t.Put(by))
	}
}

// added puts a file into a directory.
func added(name string, node rootfs.Node) func(testing.TB, *rootfs.Tree, *rootfs.Node) {
	return func(tb testing.TB, t *rootfs.Tree, n *rootfs.Node) {
		node.Path = path.Join(n.Path, name)
		must(tb, t.Put(node))
	}
}

// oneBit is done to every file of every image, the rest to the small one.
var oneBit = harm{"one bit in the middle", filled, flipped(func(n int) int { return n / 2 })}

var harms = []harm{
	oneBit,
	{"one bit at the start", filled, flipped(func(int) int { return 0 })},
	{"one bit at the end", filled, flipped(func(n int) int { return n - 1 })},
	{"one byte less", filled, func(tb testing.TB, t *rootfs.Tree, n *rootfs.Node) {
		data := bytesOf(tb, t, n.Path)
		n.Content, n.Size = rootfs.Bytes(data[:len(data)-1]), n.Size-1
	}},
	{"one byte more", regular, func(tb testing.TB, t *rootfs.Tree, n *rootfs.Node) {
		n.Content, n.Size = rootfs.Bytes(append(bytesOf(tb, t, n.Path), 0)), n.Size+1
	}},
	{"one more may read it", hasMode, changed(func(n *rootfs.Node) { n.Mode ^= 0o001 })},
	{"its group may write it", hasMode, changed(func(n *rootfs.Node) { n.Mode |= 0o020 })},
	{"setuid", hasMode, changed(func(n *rootfs.Node) { n.Mode |= 0o4000 })},
	{"setgid", hasMode, changed(func(n *rootfs.Node) { n.Mode |= 0o2000 })},
	{"sticky", hasMode, changed(func(n *rootfs.Node) { n.Mode ^= 0o1000 })},
	{"another owner", anything, changed(func(n *rootfs.Node) { n.UID ^= 1 })},
	{"another group", anything, changed(func(n *rootfs.Node) { n.GID ^= 1 })},
	{"a capability", regular, changed(func(n *rootfs.Node) { n.Capability = []byte(setCapability) })},
	{"another target", link, changed(func(n *rootfs.Node) { n.Target += "x" })},
	{"a link in its place", anything, replaced(rootfs.Node{Type: rootfs.Symlink, Target: "/usr/bin"})},
	{"a directory in its place", regular, replaced(rootfs.Node{Type: rootfs.Directory, Mode: 0o755})},
	{"a pipe in its place", anything, replaced(rootfs.Node{Type: rootfs.FIFO, Mode: 0o644})},
	{"a device in its place", anything, replaced(rootfs.Node{Type: rootfs.CharDevice, Mode: 0o666, Major: 1, Minor: 3})},
	{"removed", anything, func(_ testing.TB, t *rootfs.Tree, n *rootfs.Node) { t.Remove(n.Path) }},
	{"renamed", regular, func(tb testing.TB, t *rootfs.Tree, n *rootfs.Node) {
		moved := *n
		t.Remove(n.Path)
		moved.Path += "x"
		must(tb, t.Put(moved))
	}},
	{"a file more", directory, added("more", rootfs.Node{Type: rootfs.Regular, Mode: 0o444, Content: rootfs.Bytes("")})},
	{"a program more", directory, added("more", rootfs.Node{Type: rootfs.Regular, Mode: 0o4555, Size: 1, Content: rootfs.Bytes("#")})},
	{"a directory more", directory, added("more", rootfs.Node{Type: rootfs.Directory, Mode: 0o755})},
	{"a link more", directory, added("more", rootfs.Node{Type: rootfs.Symlink, Target: "."})},
	{"a disk more", directory, added("more", rootfs.Node{Type: rootfs.BlockDevice, Mode: 0o666, Major: 8})},
}

// One change to one file at a time, for each change and each file of a small
// image: the seal no longer fits.
func TestEachFileChanged(t *testing.T) {
	f := service(t)
	for n := range flatten(t, f.img).All() {
		for _, h := range harms {
			if !h.on(n) {
				continue
			}
			t.Run(n.Path+"/"+h.name, func(t *testing.T) {
				t.Parallel()
				files := flatten(t, f.img)
				h.do(t, files, files.Get(n.Path))
				f.verify(t, inLayout(t, f.repack(t, files))).refused(t, 1, "immure: refused: ")
			})
		}
	}
}

// The same bit in each file of a real service from Debian's packages.
func TestEachFileOfRedisChanged(t *testing.T) {
	f := redis(t)
	files := flatten(t, f.img)
	programs := 0
	for n := range files.All() {
		if !oneBit.on(n) {
			continue
		}
		if strings.Contains(n.Path, "/lib") || strings.Contains(n.Path, "/bin/") {
			programs++
		}
		t.Run(n.Path, func(t *testing.T) {
			t.Parallel()
			top := new(rootfs.Tree)
			must(t, top.Put(rootfs.Node{Path: "/", Type: rootfs.Directory, Mode: 0o755}))
			for dir := path.Dir(n.Path); dir != "/"; dir = path.Dir(dir) {
				must(t, top.Put(*files.Get(dir)))
			}
			must(t, top.Put(*n))
			oneBit.do(t, top, top.Get(n.Path))
			r := f.verify(t, inLayout(t, f.over(t, layer(t, top))))
			if n.Path == tree.SealPath {
				r.refused(t, 1, "immure: refused: signature: ")
			} else {
				r.refused(t, 1, "immure: refused: files: ")
			}
		})
	}
	if programs < 5 {
		t.Errorf("%d programs and libraries: this is no redis", programs)
	}
}
