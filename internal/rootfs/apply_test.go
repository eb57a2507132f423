package rootfs

import (
	"archive/tar"
	"bytes"
	"strings"
	"testing"
)

func TestApply(t *testing.T) {
	for _, c := range []struct {
		name   string
		layers [][]*tar.Header
		want   string
	}{
		{
			"names are relative to the root",
			[][]*tar.Header{{dir("./", 0o700), dir("/usr/", 0o750), reg("./usr//a"), reg("/b")}},
			"/ d 0700\n/b f 0644\n/usr d 0750\n/usr/a f 0644\n",
		},
		{"empty layer has a root", [][]*tar.Header{{}}, "/ d 0755\n"},
		{"missing parents", [][]*tar.Header{{reg("a/b/c")}}, "/ d 0755\n/a d 0755\n/a/b d 0755\n/a/b/c f 0644\n"},
		{"parent after child", [][]*tar.Header{{reg("a/b"), dir("a", 0o700)}}, "/ d 0755\n/a d 0700\n/a/b f 0644\n"},
		{
			"the last of one name counts",
			[][]*tar.Header{{reg("a"), symlink("a", "b"), dir("c", 0o700), dir("c", 0o711)}},
			"/ d 0755\n/a l 0000\n/c d 0711\n",
		},
		{"directory keeps its children", [][]*tar.Header{{reg("a/b")}, {dir("a", 0o700)}}, "/ d 0755\n/a d 0700\n/a/b f 0644\n"},
		{"file replaces directory", [][]*tar.Header{{reg("a/b/c")}, {reg("a")}}, "/ d 0755\n/a f 0644\n"},
		{
			"directory replaces link",
			[][]*tar.Header{{symlink("a", "/etc")}, {dir("a", 0o755), reg("a/b")}},
			"/ d 0755\n/a d 0755\n/a/b f 0644\n",
		},
		{"whiteout", [][]*tar.Header{{reg("a/b"), reg("a/c/d")}, {reg("a/.wh.c")}}, "/ d 0755\n/a d 0755\n/a/b f 0644\n"},
		{"whiteout of nothing", [][]*tar.Header{{reg("a")}, {reg("x/y/.wh.z")}}, "/ d 0755\n/a f 0644\n"},
		{
			"whiteout spares its own layer, before",
			[][]*tar.Header{{reg("a/old")}, {reg("a/new"), reg(".wh.a")}},
			"/ d 0755\n/a d 0755\n/a/new f 0644\n",
		},
		{
			"whiteout spares its own layer, after",
			[][]*tar.Header{{reg("a/old")}, {reg(".wh.a"), reg("a/new")}},
			"/ d 0755\n/a d 0755\n/a/new f 0644\n",
		},
		{
			"a hidden parent is made anew",
			[][]*tar.Header{{dir("a", 0o700), reg("a/old")}, {reg("a/new"), reg(".wh.a")}},
			"/ d 0755\n/a d 0755\n/a/new f 0644\n",
		},
		{
			"opaque, first",
			[][]*tar.Header{{dir("a", 0o700), reg("a/old/x")}, {reg("a/.wh..wh..opq"), reg("a/new")}},
			"/ d 0755\n/a d 0700\n/a/new f 0644\n",
		},
		{
			"opaque, last",
			[][]*tar.Header{{dir("a", 0o700), reg("a/old/x")}, {reg("a/new"), reg("a/.wh..wh..opq")}},
			"/ d 0755\n/a d 0700\n/a/new f 0644\n",
		},
		{
			"opaque root",
			[][]*tar.Header{{reg("a/b"), reg("c")}, {reg("a/d"), reg(".wh..wh..opq")}},
			"/ d 0755\n/a d 0755\n/a/d f 0644\n",
		},
		{"a whiteout is for the layers below it", [][]*tar.Header{{reg("a")}, {reg(".wh.a")}, {reg("a")}}, "/ d 0755\n/a f 0644\n"},
		{
			"whiteout of a link leaves its target",
			[][]*tar.Header{{reg("a/b"), symlink("l", "a")}, {reg(".wh.l")}},
			"/ d 0755\n/a d 0755\n/a/b f 0644\n",
		},
		{
			"comment in a global header",
			[][]*tar.Header{{
				{Typeflag: tar.TypeXGlobalHeader, Name: "pax_global_header", PAXRecords: map[string]string{"comment": "x"}}, reg("a"),
			}},
			"/ d 0755\n/a f 0644\n",
		},
		{
			"devices and pipes",
			[][]*tar.Header{{
				{Typeflag: tar.TypeChar, Name: "null", Mode: 0o666, Devmajor: 1, Devminor: 3},
				{Typeflag: tar.TypeBlock, Name: "sda", Mode: 0o660, Devmajor: 8, Devminor: 300},
				{Typeflag: tar.TypeFifo, Name: "fifo", Mode: 0o600},
			}},
			"/ d 0755\n/fifo p 0600\n/null c 0666\n/sda b 0660\n",
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			var layers [][]byte
			for _, headers := range c.layers {
				layers = append(layers, layer(t, headers...))
			}
			tree, err := apply(t, layers...)
			if err != nil {
				t.Fatal(err)
			}
			if got := paths(tree); got != c.want {
				t.Errorf("got\n%swant\n%s", got, c.want)
			}
			if err := tree.Check(); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestApplyKeepsWhatANodeHolds(t *testing.T) {
	capability := "\x01\x00\x00\x02\x00\x04\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"
	long := strings.Repeat("long/", 100) + strings.Repeat("n", 255)
	tree, err := apply(t, layer(t,
		&tar.Header{
			Typeflag: tar.TypeReg, Name: "ping", Mode: 0o104755, Uid: 7, Gid: 4000000000, Format: tar.FormatPAX,
			PAXRecords: map[string]string{paxXattr + capabilityAttribute: capability, paxXattr + "user.note": "x"},
		},
		&tar.Header{Typeflag: tar.TypeLink, Name: "again/ping", Linkname: "/ping", Mode: 0o4755, Uid: 7, Gid: 4000000000},
		reg(long),
	))
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range []string{"/ping", "/again/ping"} {
		n := tree.Get(p)
		if n == nil {
			t.Fatalf("%s is missing", p)
		}
		if n.Mode != 0o4755 || n.UID != 7 || n.GID != 4000000000 || string(n.Capability) != capability {
			t.Errorf("%s: got %+v", p, n)
		}
		if got := read(t, n); string(got) != "ping" {
			t.Errorf("%s holds %q", p, got)
		}
	}
	if tree.Get("/"+long) == nil {
		t.Error("long name is missing")
	}
}

func TestHardLinkOutlivesItsTarget(t *testing.T) {
	tree, err := apply(t, layer(t, reg("a")), layer(t, link("b", "a"), sized("a", 9)), layer(t, reg(".wh.a")))
	if err != nil {
		t.Fatal(err)
	}
	if got := read(t, tree.Get("/b")); string(got) != "a" {
		t.Errorf("link holds %q, want the lower layer's content", got)
	}
	if tree.Get("/a") != nil {
		t.Error("target was not hidden")
	}
}

func TestApplyReadsTheWholeLayer(t *testing.T) {
	r := bytes.NewReader(append(layer(t, reg("a")), make([]byte, 10<<10)...))
	if err := new(Tree).Apply(r, spool(t), DefaultLimits); err != nil {
		t.Fatal(err)
	}
	if r.Len() != 0 {
		t.Errorf("%d bytes were not read", r.Len())
	}
}
