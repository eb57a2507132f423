package rootfs

import (
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestPathOrder(t *testing.T) {
	want := []string{"/", "/a", "/a/b", "/a/b/c", "/a/b-c", "/a-b", "/a.b/c", "/a0", "/b"}
	var tree Tree
	for _, p := range slices.Backward(want) {
		put(t, &tree, Node{Path: p, Type: Directory})
	}
	var got []string
	for n := range tree.All() {
		got = append(got, n.Path)
	}
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

// Path order is that of the lists of names.
func TestComparePaths(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		names := rapid.SliceOfN(rapid.StringOfN(rapid.RuneFrom([]rune("-./0ab\x01é")), 1, 3, -1).Filter(func(s string) bool {
			return !strings.Contains(s, "/")
		}), 0, 4)
		a, b := names.Draw(t, "a"), names.Draw(t, "b")
		got := ComparePaths("/"+strings.Join(a, "/"), "/"+strings.Join(b, "/"))
		if want := slices.Compare(a, b); got != want {
			t.Fatalf("%q against %q: got %d, want %d", a, b, got, want)
		}
	})
}

func TestPutWantsCleanPaths(t *testing.T) {
	for _, p := range []string{"", "a", "/a/", "//a", "/a/../b", "/.", "./a"} {
		refused(t, new(Tree).Put(Node{Path: p, Type: Directory}), "absolute and clean")
	}
}

func TestRemove(t *testing.T) {
	var tree Tree
	for _, p := range []string{"/", "/a", "/a/b", "/a/b/c", "/a-b", "/lost/parent/x"} {
		put(t, &tree, Node{Path: p, Type: Directory})
	}
	tree.Remove("/a")
	tree.Remove("/lost")
	tree.Remove("/not/there")
	put(t, &tree, Node{Path: "/a/new", Type: Directory})
	if got, want := paths(&tree), "/ d 0000\n/a/new d 0000\n/a-b d 0000\n"; got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
	tree.Remove("/a")
	if tree.Get("/a/new") != nil {
		t.Error("a node put after a removal outlives the next one")
	}
	tree.Remove("/")
	if tree.Len() != 0 {
		t.Errorf("%d nodes outlive the root", tree.Len())
	}
}

func TestCheck(t *testing.T) {
	root := Node{Path: "/", Type: Directory, Mode: 0o755}
	for _, c := range []struct {
		name  string
		nodes []Node
		words []string
	}{
		{"no root", []Node{{Path: "/a", Type: Directory}}, []string{"root"}},
		{"root is a file", []Node{{Path: "/", Type: Regular, Content: Bytes(nil)}}, []string{`"/"`}},
		{"missing parent", []Node{root, {Path: "/a/b", Type: Directory}}, []string{`"/a/b"`, "missing"}},
		{"parent is a link", []Node{root, {Path: "/a", Type: Symlink, Target: "b"}, {Path: "/a/b", Type: Directory}}, []string{`"/a/b"`, "symbolic link"}},
		{"unknown type", []Node{root, {Path: "/a", Type: 's'}}, []string{"'s'"}},
		{"no content", []Node{root, {Path: "/a", Type: Regular}}, []string{"content"}},
		{"negative size", []Node{root, {Path: "/a", Type: Regular, Size: -1, Content: Bytes(nil)}}, []string{"content"}},
		{"directory with content", []Node{root, {Path: "/a", Type: Directory, Content: Bytes(nil)}}, []string{"content"}},
		{"mode", []Node{root, {Path: "/a", Type: Directory, Mode: 0o40755}}, []string{"mode"}},
		{"owner", []Node{root, {Path: "/a", Type: Directory, UID: 1<<32 - 1}}, []string{"owner"}},
		{"link with a mode", []Node{root, {Path: "/a", Type: Symlink, Target: "b", Mode: 0o777}}, []string{"mode"}},
		{"link without target", []Node{root, {Path: "/a", Type: Symlink}}, []string{"target"}},
		{"link with NUL", []Node{root, {Path: "/a", Type: Symlink, Target: "a\x00b"}}, []string{"NUL"}},
		{"file with target", []Node{root, {Path: "/a", Type: FIFO, Target: "b"}}, []string{"target"}},
		{"device number", []Node{root, {Path: "/a", Type: BlockDevice, Minor: 1 << 20}}, []string{"range"}},
		{"file with device number", []Node{root, {Path: "/a", Type: FIFO, Minor: 1}}, []string{"device number"}},
		{"overlay whiteout", []Node{root, {Path: "/a", Type: CharDevice}}, []string{"whiteout"}},
		{"whiteout name", []Node{root, {Path: "/.wh.a", Type: Directory}}, []string{"whiteout"}},
		{"capability on a link", []Node{root, {Path: "/a", Type: Symlink, Target: "b", Capability: []byte{1}}}, []string{"capabilities"}},
		{"empty capability", []Node{root, {Path: "/a", Type: Regular, Content: Bytes(nil), Capability: []byte{}}}, []string{"empty"}},
		{"long name", []Node{root, {Path: "/" + strings.Repeat("a", 256), Type: Directory}}, []string{"255"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			var tree Tree
			put(t, &tree, c.nodes...)
			refused(t, tree.Check(), c.words...)
			refused(t, tree.WriteLayer(nil, epochTime), c.words...)
			refused(t, tree.Extract(t.TempDir()), c.words...)
		})
	}
}
