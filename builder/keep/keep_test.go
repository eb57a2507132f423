package keep

import (
	"errors"
	"strings"
	"testing"

	"github.com/immure-dev/immure/builder/elf"
	"github.com/immure-dev/immure/internal/rootfs"
)

// world makes a tree: a text that begins with "->" is a link, one that ends
// with "/" in its path a directory, all else a file.
func world(t *testing.T, files map[string]string) *rootfs.Tree {
	t.Helper()
	tree := new(rootfs.Tree)
	put := func(n rootfs.Node) {
		if err := tree.Put(n); err != nil {
			t.Fatal(err)
		}
	}
	for p, text := range files {
		for i, c := range p {
			if c == '/' && i > 0 && tree.Get(p[:i]) == nil {
				put(rootfs.Node{Path: p[:i], Type: rootfs.Directory, Mode: 0o1777})
			}
		}
		if target, ok := strings.CutPrefix(text, "->"); ok {
			put(rootfs.Node{Path: p, Type: rootfs.Symlink, Target: target})
		} else if !strings.HasSuffix(p, "/") {
			put(rootfs.Node{Path: p, Type: rootfs.Regular, Mode: 0o644, Size: int64(len(text)), Content: rootfs.Bytes(text)})
		}
	}
	return tree
}

func paths(k *Keeper) string {
	var out []string
	for n := range k.tree.All() {
		out = append(out, n.Path)
	}
	return strings.Join(out, " ")
}

func TestPath(t *testing.T) {
	files := map[string]string{
		"/etc/a/one": "1", "/etc/a/two": "->../b/two", "/etc/b/two": "2", "/etc/b/three": "3", "/etc/c": "->/etc/a",
		"/out": "->../../x", "/loop": "->loop", "/gone": "->/not/here", "/up/one": "->..", "/tofile": "->/etc/b/two/x",
	}
	for p, want := range map[string]string{
		"/etc/b/two": "/ /etc /etc/b /etc/b/two",
		"/etc/a":     "/ /etc /etc/a /etc/a/one /etc/a/two /etc/b /etc/b/two",
		"/etc/c":     "/ /etc /etc/a /etc/a/one /etc/a/two /etc/b /etc/b/two /etc/c",
		"/etc/c/one": "/ /etc /etc/a /etc/a/one /etc/c",
		"/out":       "leads out of the tree",
		"/loop":      "more than 40",
		"/gone":      "no such file",
		"/missing":   "no such file",
		"/up":        "the whole source",
		"/":          "the whole source",
		"/tofile":    "is a regular file",
	} {
		k := New(elf.FromTree(world(t, files)))
		_, err := k.Path(p, "asked for")
		if err != nil {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("%s: %v, want %q", p, err, want)
			}
			continue
		}
		if got := paths(k); got != want {
			t.Errorf("%s keeps %s, want %s", p, got, want)
		}
		for n := range k.tree.All() {
			if k.Why()[n.Path] == "" {
				t.Errorf("%s: no reason for %s", p, n.Path)
			}
		}
		if _, err := k.Tree(Judge{UID: 65532, GID: 65532, Waived: func(string, string) bool { return false }}); err != nil {
			t.Errorf("%s: %v", p, err)
		}
		if n := k.Get("/etc"); n != nil && n.Mode != 0o755 {
			t.Errorf("directory has mode %04o", n.Mode)
		}
	}
}

func TestMissingIsTold(t *testing.T) {
	k := New(elf.FromTree(world(t, map[string]string{"/a": ""})))
	if _, err := k.Path("/b", ""); !errors.Is(err, ErrMissing) {
		t.Errorf("got %v", err)
	}
}

func TestJudge(t *testing.T) {
	good := rootfs.Node{Path: "/d/f", Type: rootfs.Regular, Mode: 0o644, Content: rootfs.Bytes(nil)}
	for name, c := range map[string]struct {
		edit func(n *rootfs.Node)
		want string
	}{
		"right":           {func(*rootfs.Node) {}, ""},
		"setuid":          {func(n *rootfs.Node) { n.Mode = 0o4755 }, "setuid /d/f"},
		"setgid":          {func(n *rootfs.Node) { n.Mode = 0o2755 }, "setgid /d/f"},
		"capability":      {func(n *rootfs.Node) { n.Capability = make([]byte, 20) }, "file capability /d/f"},
		"writable to all": {func(n *rootfs.Node) { n.Mode = 0o646 }, "anyone may write"},
		"owner":           {func(n *rootfs.Node) { n.UID = 1 << 31 }, "is above"},
		"own, unreadable": {func(n *rootfs.Node) { n.UID = 65532; n.Mode = 0o044 }, "cannot read it"},
		"group's":         {func(n *rootfs.Node) { n.GID = 65532; n.Mode = 0o640 }, ""},
		"others'":         {func(n *rootfs.Node) { n.Mode = 0o640 }, "cannot read it"},
		"device":          {func(n *rootfs.Node) { *n = rootfs.Node{Path: n.Path, Type: rootfs.CharDevice, Major: 1, Minor: 3} }, "character device has no place"},
		"pipe":            {func(n *rootfs.Node) { *n = rootfs.Node{Path: n.Path, Type: rootfs.FIFO} }, "named pipe has no place"},
	} {
		k := New(elf.FromTree(new(rootfs.Tree)))
		n := good
		c.edit(&n)
		if err := k.Add(n, "test"); err != nil {
			t.Fatal(err)
		}
		var asked []string
		_, err := k.Tree(Judge{UID: 65532, GID: 65532, Waived: func(facet, grant string) bool {
			asked = append(asked, facet+" "+grant)
			return false
		}})
		if (err == nil) != (c.want == "") || (err != nil && !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
		var grant *GrantError
		if errors.As(err, &grant) != (len(asked) > 0) {
			t.Errorf("%s: asked for waivers %q", name, asked)
		}
		if len(asked) > 0 {
			if _, err := k.Tree(Judge{UID: 65532, GID: 65532, Waived: func(string, string) bool { return true }}); err != nil {
				t.Errorf("%s, waived: %v", name, err)
			}
		}
	}
}

func TestClosedDirectory(t *testing.T) {
	k := New(elf.FromTree(new(rootfs.Tree)))
	for _, n := range []rootfs.Node{
		{Path: "/private", Type: rootfs.Directory, Mode: 0o700},
		{Path: "/private/f", Type: rootfs.Regular, Mode: 0o644, Content: rootfs.Bytes(nil)},
	} {
		if err := k.Add(n, "test"); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := k.Tree(Judge{UID: 1, GID: 1}); err == nil || !strings.Contains(err.Error(), "cannot read it") {
		t.Errorf("a file in a closed directory: %v", err)
	}
}

func TestOverlay(t *testing.T) {
	o := NewOverlay(elf.FromTree(world(t, map[string]string{"/usr/lib/x": "", "/lib": "->usr/lib", "/etc/conf": "old"})))
	file := func(p string) rootfs.Node {
		return rootfs.Node{Path: p, Type: rootfs.Regular, Mode: 0o444, Size: 3, Content: rootfs.Bytes("new")}
	}
	for _, p := range []string{"/etc/conf", "/etc/more", "/opt/a/b"} {
		if err := o.Put(file(p)); err != nil {
			t.Errorf("%s: %v", p, err)
		}
		if n, err := o.Lookup(p); err != nil || n == nil || n.Size != 3 || !o.Added(p) {
			t.Errorf("%s: %v, %v", p, n, err)
		}
	}
	for p, want := range map[string]string{"/lib/y": "symbolic link", "/usr/lib/x/y": "regular file", "/opt/a": "at once"} {
		if err := o.Put(file(p)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", p, err, want)
		}
	}
	for dir, want := range map[string]string{"/": "etc lib opt usr", "/etc": "conf more", "/opt/a": "b", "/usr/lib": "x", "/none": ""} {
		names, err := o.List(dir)
		if got := strings.Join(names, " "); err != nil || got != want {
			t.Errorf("%s lists %q, %v; want %q", dir, got, err, want)
		}
	}
}
