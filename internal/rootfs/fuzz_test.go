package rootfs

import (
	"archive/tar"
	"bytes"
	"testing"
	"testing/iotest"
)

// FuzzApply gives foreign bytes as the second of two layers. Whatever is
// accepted is a whole tree within the limits, survives being written and read,
// and does not depend on where the layer's reader pauses.
func FuzzApply(f *testing.F) {
	lower := layer(f, dir("etc", 0o755), reg("etc/passwd"), symlink("lib", "usr/lib"), reg("usr/lib/libc.so"))
	capability := record(reg("ping"), paxXattr+capabilityAttribute, string(capabilities[1]))
	for _, seed := range [][]byte{
		nil,
		layer(f),
		lower,
		layer(f, reg("etc/.wh.passwd"), reg(".wh..wh..opq"), reg("etc/shadow")),
		layer(f, link("hard", "etc/passwd"), reg("lib/x")),
		layer(f, capability, &tar.Header{Typeflag: tar.TypeChar, Name: "null", Devmajor: 1, Devminor: 3}),
		layer(f, sized(string(bytes.Repeat([]byte("long/"), 60))+"x", 600)),
		layer(f, &tar.Header{Typeflag: tar.TypeReg, Name: "gnu", Format: tar.FormatGNU, Uid: 1 << 30}),
	} {
		f.Add(seed)
	}
	limits := Limits{Nodes: 100, Bytes: 100 << 10, NameBytes: 10 << 10, Depth: 10}
	f.Fuzz(func(t *testing.T, upper []byte) {
		tree, s := new(Tree), spool(t)
		if err := tree.Apply(bytes.NewReader(lower), s, limits); err != nil {
			t.Fatal(err)
		}
		if err := tree.Apply(bytes.NewReader(upper), s, limits); err != nil {
			return
		}
		if err := tree.Check(); err != nil {
			t.Fatalf("accepted, but %v", err)
		}
		if tree.Len() > limits.Nodes || tree.Size() > limits.Bytes {
			t.Fatalf("%d nodes of %d bytes are over the limits", tree.Len(), tree.Size())
		}
		var out bytes.Buffer
		if err := tree.WriteLayer(&out, epochTime); err != nil {
			t.Fatal(err)
		}
		again, err := apply(t, out.Bytes())
		if err != nil {
			t.Fatal(err)
		}
		if a, b := listing(t, tree), listing(t, again); a != b {
			t.Fatalf("wrote\n%sread\n%s", a, b)
		}
		paused := new(Tree)
		if err := paused.Apply(bytes.NewReader(lower), s, limits); err != nil {
			t.Fatal(err)
		}
		if err := paused.Apply(iotest.HalfReader(bytes.NewReader(upper)), s, limits); err != nil {
			t.Fatal(err)
		}
		if a, b := listing(t, tree), listing(t, paused); a != b {
			t.Fatalf("at once\n%sin pieces\n%s", a, b)
		}
	})
}
