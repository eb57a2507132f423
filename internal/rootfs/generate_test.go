package rootfs

import (
	"bytes"
	"os"
	"path"
	"testing"
	"time"

	"pgregory.net/rapid"
)

var epochTime = time.Unix(0, 0)

// capabilities are values that the kernel takes and gives back unchanged.
var capabilities = [][]byte{
	nil,
	[]byte("\x01\x00\x00\x02\x00\x04\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"),
	[]byte("\x00\x00\x00\x02\x00\x00\x20\x00\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"),
	[]byte("\x01\x00\x00\x03\x00\x04\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\xe8\x03\x00\x00"),
}

// genTree makes a whole tree. Without root's rights every owner is the caller
// and there are no devices and capabilities, as nobody else can extract more.
func genTree() *rapid.Generator[*Tree] {
	return rapid.Custom(func(t *rapid.T) *Tree {
		var tree Tree
		must := func(err error) {
			if err != nil {
				t.Fatal(err)
			}
		}
		owner := rapid.SampledFrom([]uint32{0, 1, 65532, 4000000000})
		if !root() {
			owner = rapid.Just(uint32(os.Getuid()))
		}
		group := owner
		if !root() {
			group = rapid.Just(uint32(os.Getgid()))
		}
		mode := rapid.Uint32Range(0, 0o7777)
		if !root() {
			mode = rapid.Map(mode, func(m uint32) uint32 { return m | 0o700 })
		}
		must(tree.Put(Node{Path: "/", Type: Directory, Mode: mode.Draw(t, "mode"), UID: owner.Draw(t, "uid"), GID: group.Draw(t, "gid")}))
		dirs := []string{"/"}
		types := []Type{Directory, Directory, Regular, Regular, Symlink, FIFO}
		if root() {
			types = append(types, CharDevice, BlockDevice)
		}
		for range rapid.IntRange(0, 12).Draw(t, "nodes") {
			name := rapid.StringOfN(rapid.RuneFrom([]rune("abc.-é \n")), 1, 3, -1).Filter(func(s string) bool {
				return s != "." && s != ".."
			}).Draw(t, "name")
			p := path.Join(rapid.SampledFrom(dirs).Draw(t, "parent"), name)
			if tree.Get(p) != nil {
				continue
			}
			n := Node{Path: p, Type: rapid.SampledFrom(types).Draw(t, "type"), UID: owner.Draw(t, "uid"), GID: group.Draw(t, "gid")}
			if n.Type != Symlink {
				n.Mode = mode.Draw(t, "mode")
			}
			switch n.Type {
			case Directory:
				dirs = append(dirs, p)
			case Symlink:
				n.Target = rapid.SampledFrom([]string{"a", "/", "..", "/a/b", "../../b", "./a/../b/", "missing/x"}).Draw(t, "target")
			case CharDevice, BlockDevice:
				n.Major = rapid.Uint32Range(1, majorMax).Draw(t, "major")
				n.Minor = rapid.Uint32Range(0, minorMax).Draw(t, "minor")
			case Regular:
				content := Bytes(rapid.SliceOfN(rapid.Byte(), 0, 700).Draw(t, "content"))
				n.Content, n.Size = content, int64(len(content))
				if root() {
					n.Capability = rapid.SampledFrom(capabilities).Draw(t, "capability")
				}
			}
			must(tree.Put(n))
		}
		must(tree.Check())
		return &tree
	})
}

// What is written as a layer and applied is the same tree; and it is written
// the same way twice.
func TestLayerRoundTrip(t *testing.T) {
	s := spool(t)
	rapid.Check(t, func(rt *rapid.T) {
		tree := genTree().Draw(rt, "tree")
		var first, second bytes.Buffer
		if err := tree.WriteLayer(&first, epochTime); err != nil {
			rt.Fatal(err)
		}
		var got Tree
		if err := got.Apply(bytes.NewReader(first.Bytes()), s, DefaultLimits); err != nil {
			rt.Fatal(err)
		}
		if a, b := listing(t, tree), listing(t, &got); a != b {
			rt.Fatalf("wrote\n%sread\n%s", a, b)
		}
		if err := got.WriteLayer(&second, epochTime); err != nil {
			rt.Fatal(err)
		}
		if !bytes.Equal(first.Bytes(), second.Bytes()) {
			rt.Fatal("the same tree gave two layers")
		}
	})
}

// What is extracted and read back is the same tree.
func TestExtractRoundTrip(t *testing.T) {
	parent := t.TempDir()
	rapid.Check(t, func(rt *rapid.T) {
		tree := genTree().Draw(rt, "tree")
		dir, err := os.MkdirTemp(parent, "")
		if err != nil {
			rt.Fatal(err)
		}
		defer os.RemoveAll(dir)
		if err := tree.Extract(dir); err != nil {
			rt.Fatal(err)
		}
		if err := Sync(dir); err != nil {
			rt.Fatal(err)
		}
		got, err := ReadDir(dir, DefaultLimits)
		if err != nil {
			rt.Fatal(err)
		}
		defer got.Close()
		if a, b := listing(t, tree), listing(t, got); a != b {
			rt.Fatalf("extracted\n%sread\n%s", a, b)
		}
	})
}

// The same tree and time give the same bytes, on every machine: these.
func TestLayerGolden(t *testing.T) {
	var tree Tree
	put(t, &tree,
		Node{Path: "/", Type: Directory, Mode: 0o755},
		Node{Path: "/bin", Type: Directory, Mode: 0o755},
		Node{Path: "/bin/ping", Type: Regular, Mode: 0o755, Size: 5, Content: Bytes("ping\n"), Capability: capabilities[1]},
		Node{Path: "/bin/sh", Type: Symlink, Target: "/bin/ping"},
		Node{Path: "/dev", Type: Directory, Mode: 0o755},
		Node{Path: "/dev/null", Type: CharDevice, Mode: 0o666, Major: 1, Minor: 3},
		Node{Path: "/home", Type: Directory, Mode: 0o1777, UID: 65532, GID: 4000000000},
	)
	var got bytes.Buffer
	if err := tree.WriteLayer(&got, time.Date(2025, 1, 2, 3, 4, 5, 6, time.FixedZone("", 3600))); err != nil {
		t.Fatal(err)
	}
	golden(t, "testdata/layer.tar", got.Bytes())
}
