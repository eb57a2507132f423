package rootfs

import (
	"archive/tar"
	"bytes"
	"strings"
	"testing"
)

func TestApplyRefuses(t *testing.T) {
	socket := reg("s")
	socket.Typeflag = 's'
	badUTF8, nul := reg("a\xff"), reg("abcd")
	badUTF8.Format = tar.FormatGNU
	for _, c := range []struct {
		name   string
		layers [][]*tar.Header
		words  []string
	}{
		{"dot dot", [][]*tar.Header{{reg("../a")}}, []string{`".."`}},
		{"dot dot inside", [][]*tar.Header{{reg("a/../b")}}, []string{`".."`}},
		{"absolute dot dot", [][]*tar.Header{{reg("/../../a")}}, []string{`".."`}},
		{"through a link of the same layer", [][]*tar.Header{{symlink("a", "/etc"), reg("a/passwd")}}, []string{`"/a"`, "symbolic link"}},
		{"through a link of a lower layer", [][]*tar.Header{{symlink("a", "b"), dir("b", 0o755)}, {reg("a/x/y")}}, []string{`"/a"`, "symbolic link"}},
		{"through a file", [][]*tar.Header{{reg("a")}, {reg("a/b")}}, []string{`"/a"`, "regular file"}},
		{"root is a file", [][]*tar.Header{{reg(".")}}, []string{"root"}},
		{"root is a link", [][]*tar.Header{{symlink("/.", "/x")}}, []string{"root"}},
		{"hard link to nothing", [][]*tar.Header{{link("a", "b")}}, []string{`"/b"`, "does not exist"}},
		{"hard link to a directory", [][]*tar.Header{{dir("b", 0o755), link("a", "b")}}, []string{`"/b"`, "directory"}},
		{"hard link to the root", [][]*tar.Header{{dir(".", 0o755), link("a", "/")}}, []string{"directory"}},
		{"hard link outside", [][]*tar.Header{{link("a", "../../etc/passwd")}}, []string{`".."`}},
		{"hard link to itself", [][]*tar.Header{{reg("a"), link("a", "./a")}}, []string{"itself"}},
		{"hard link through a link", [][]*tar.Header{{reg("d/f"), symlink("s", "d"), link("a", "s/f")}}, []string{`"/s"`, "symbolic link"}},
		{"hard link to what is hidden", [][]*tar.Header{{reg("b")}, {reg(".wh.b"), link("a", "b")}}, []string{"does not exist"}},
		{"hard link with another mode", [][]*tar.Header{{reg("b"), {Typeflag: tar.TypeLink, Name: "a", Linkname: "b", Mode: 0o4755}}}, []string{"owner or mode"}},
		{"hard link with another owner", [][]*tar.Header{{reg("b"), {Typeflag: tar.TypeLink, Name: "a", Linkname: "b", Mode: 0o644, Uid: 1}}}, []string{"owner or mode"}},
		{"unknown type", [][]*tar.Header{{socket}}, []string{"unsupported entry type 's'"}},
		{"not UTF-8", [][]*tar.Header{{badUTF8}}, []string{"UTF-8"}},
		{"long name", [][]*tar.Header{{reg(strings.Repeat("n", 256))}}, []string{"255"}},
		{"long path", [][]*tar.Header{{reg(strings.Repeat("n/", 2048) + "n")}}, []string{"4095"}},
		{"long target", [][]*tar.Header{{symlink("a", strings.Repeat("n/", 2048))}}, []string{"4095"}},
		{"deep path", [][]*tar.Header{{reg(strings.Repeat("n/", 128) + "n")}}, []string{"128 names"}},
		{"link without a target", [][]*tar.Header{{symlink("a", "")}}, []string{"target"}},
		{"slash after a file", [][]*tar.Header{{{Typeflag: tar.TypeSymlink, Name: "a/", Linkname: "b"}}}, []string{"slash"}},
		{"negative owner", [][]*tar.Header{{{Typeflag: tar.TypeReg, Name: "a", Uid: -1, Format: tar.FormatGNU}}}, []string{"identifier"}},
		{"owner that means none", [][]*tar.Header{{{Typeflag: tar.TypeDir, Name: "a", Gid: 1<<32 - 1}}}, []string{"identifier"}},
		{"mode out of range", [][]*tar.Header{{dir("a", 0o1000000)}}, []string{"mode"}},
		{"device out of range", [][]*tar.Header{{{Typeflag: tar.TypeChar, Name: "a", Devmajor: 4096}}}, []string{"4096:0"}},
		{"overlay whiteout", [][]*tar.Header{{{Typeflag: tar.TypeChar, Name: "a"}}}, []string{"overlay whiteout"}},
		{"whiteout beneath a link", [][]*tar.Header{{symlink("a", "b"), reg("b/c")}, {reg("a/.wh.c")}}, []string{`"/a"`, "symbolic link"}},
		{"whiteout that is a directory", [][]*tar.Header{{dir(".wh.a", 0o755)}}, []string{"whiteout"}},
		{"whiteout of no name", [][]*tar.Header{{reg(".wh.")}}, []string{"whiteout"}},
		{"whiteout of dot dot", [][]*tar.Header{{reg("a/.wh...")}}, []string{"whiteout"}},
		{"unknown marker", [][]*tar.Header{{reg(".wh..wh.plnk")}}, []string{"whiteout"}},
		{"beneath a whiteout", [][]*tar.Header{{reg("a/.wh.b/c")}}, []string{".wh.b"}},
		{"access control list", [][]*tar.Header{{record(reg("a"), "SCHILY.acl.access", "u::rwx")}}, []string{"access control list"}},
		{"access control attribute", [][]*tar.Header{{record(dir("a", 0o755), "SCHILY.xattr.system.posix_acl_default", "x")}}, []string{"posix_acl_default"}},
		{"overlay attribute", [][]*tar.Header{{record(dir("a", 0o755), "SCHILY.xattr.trusted.overlay.opaque", "y")}}, []string{"overlay.opaque"}},
		{"rootless overlay attribute", [][]*tar.Header{{record(dir("a", 0o755), "SCHILY.xattr.user.overlay.redirect", "/x")}}, []string{"overlay.redirect"}},
		{"overlay attribute, other spelling", [][]*tar.Header{{record(dir("a", 0o755), "LIBARCHIVE.xattr.user.overlay.whiteout", "eQ")}}, []string{"overlay.whiteout"}},
		{"capability, other spelling", [][]*tar.Header{{record(reg("a"), "LIBARCHIVE.xattr.security.capability", "eQ")}}, []string{"libarchive"}},
		{"capability on a directory", [][]*tar.Header{{record(dir("a", 0o755), "SCHILY.xattr.security.capability", "x")}}, []string{"file capabilities"}},
		{"capability too long", [][]*tar.Header{{record(reg("a"), "SCHILY.xattr.security.capability", strings.Repeat("x", 25))}}, []string{"24"}},
		{"global header", [][]*tar.Header{{{Typeflag: tar.TypeXGlobalHeader, Name: "g", PAXRecords: map[string]string{"uid": "0"}}}}, []string{`"uid"`}},
	} {
		t.Run(c.name, func(t *testing.T) {
			var layers [][]byte
			for _, headers := range c.layers {
				layers = append(layers, layer(t, headers...))
			}
			_, err := apply(t, layers...)
			refused(t, err, c.words...)
		})
	}
	t.Run("NUL in a name", func(t *testing.T) {
		// archive/tar writes none; a long name record can carry one.
		b := layer(t, &tar.Header{Typeflag: tar.TypeReg, Name: strings.Repeat("n", 120), Format: tar.FormatPAX}, nul)
		b = bytes.Replace(b, []byte("path=nnnn"), []byte("path=n\x00nn"), 1)
		_, err := apply(t, b)
		refused(t, err, "header")
	})
	t.Run("sparse", func(t *testing.T) {
		// archive/tar writes no such record.
		b := layer(t, record(reg("a"), "XNU.sparse.major", "1"))
		_, err := apply(t, bytes.Replace(b, []byte("XNU.sparse"), []byte("GNU.sparse"), 1))
		refused(t, err, "sparse")
	})
	t.Run("old sparse", func(t *testing.T) {
		h := reg("a")
		h.Format = tar.FormatGNU
		_, err := apply(t, edit(layer(t, h), 156, "S"))
		refused(t, err, "sparse")
	})
	t.Run("size on a directory", func(t *testing.T) {
		_, err := apply(t, edit(layer(t, dir("a", 0o755)), 124, "00000001000"))
		refused(t, err, "512 bytes", "no regular file")
	})
	t.Run("data after the end", func(t *testing.T) {
		_, err := apply(t, append(layer(t, reg("a")), layer(t, reg("b"))...))
		refused(t, err, "after the end")
	})
	t.Run("truncated", func(t *testing.T) {
		_, err := apply(t, layer(t, sized("a", 2000))[:1024])
		refused(t, err, "unexpected EOF")
	})
}

// edit writes value at offset off of an archive's first header and mends its
// checksum. Source: POSIX.1-2017, pax, "ustar Interchange Format".
func edit(archive []byte, off int, value string) []byte {
	copy(archive[off:], value)
	copy(archive[148:], "        ")
	sum := 0
	for _, b := range archive[:512] {
		sum += int(b)
	}
	for i := range 6 {
		archive[148+i] = byte('0' + sum>>(3*(5-i))&7)
	}
	archive[154] = 0
	return archive
}

func TestLimits(t *testing.T) {
	lower := layer(t, sized("a", 1000))
	for _, c := range []struct {
		name   string
		limits Limits
		upper  []byte
		words  string
	}{
		{"nodes in a layer", Limits{Nodes: 4, Bytes: 1 << 20, NameBytes: 1 << 20, Depth: 10}, layer(t, reg("1"), reg("1"), reg("1"), reg("1"), reg("1")), "more than 4 entries"},
		{"parents", Limits{Nodes: 4, Bytes: 1 << 20, NameBytes: 1 << 20, Depth: 10}, layer(t, reg("1/2/3/4/5")), "more than 4 entries"},
		{"whiteouts", Limits{Nodes: 2, Bytes: 1 << 20, NameBytes: 1 << 20, Depth: 10}, layer(t, reg(".wh.1"), reg(".wh.2"), reg(".wh.3")), "more than 2 entries"},
		{"nodes in the tree", Limits{Nodes: 3, Bytes: 1 << 20, NameBytes: 1 << 20, Depth: 10}, layer(t, reg("1"), reg("2")), "more than 3 entries"},
		{"bytes in a layer", Limits{Nodes: 10, Bytes: 2000, NameBytes: 1 << 20, Depth: 10}, layer(t, sized("a", 1500), sized("a", 1500)), "more than 2000 bytes"},
		{"bytes of hard links", Limits{Nodes: 10, Bytes: 2000, NameBytes: 1 << 20, Depth: 10}, layer(t, link("b", "a"), link("c", "a"), link("d", "a")), "more than 2000 bytes"},
		{"bytes in the tree", Limits{Nodes: 10, Bytes: 2000, NameBytes: 1 << 20, Depth: 10}, layer(t, sized("b", 1500)), "more than 2000 bytes"},
		{"bytes of names", Limits{Nodes: 10, Bytes: 2000, NameBytes: 20, Depth: 10}, layer(t, symlink("b", strings.Repeat("x", 20))), "more than 20 bytes"},
		{"bytes of whiteouts", Limits{Nodes: 10, Bytes: 2000, NameBytes: 20, Depth: 10}, layer(t, reg(".wh."+strings.Repeat("x", 20))), "more than 20 bytes"},
		{"depth", Limits{Nodes: 10, Bytes: 2000, NameBytes: 2000, Depth: 2}, layer(t, reg("1/2/3")), "more than 2 names"},
		{"archive", Limits{Nodes: 1, Bytes: 2000, NameBytes: 2000, Depth: 2}, make([]byte, 2<<20), "larger than its limits"},
	} {
		t.Run(c.name, func(t *testing.T) {
			var tree Tree
			s := spool(t)
			if err := tree.Apply(bytes.NewReader(lower), s, DefaultLimits); err != nil {
				t.Fatal(err)
			}
			refused(t, tree.Apply(bytes.NewReader(c.upper), s, c.limits), c.words)
		})
	}
	t.Run("zero value", func(t *testing.T) {
		refused(t, new(Tree).Apply(bytes.NewReader(lower), spool(t), Limits{}), "more than 0")
	})
}

// A layer of nothing but whiteouts over a large tree must not take quadratic
// time: this would run for minutes.
func TestManyWhiteouts(t *testing.T) {
	var lower, upper []*tar.Header
	for i := range 10000 {
		name := strings.Repeat("d/", i%8) + string(rune('a'+i%26)) + strings.Repeat("x", i%100) + string(rune('A'+i/1300))
		lower = append(lower, reg(name))
		upper = append(upper, reg(".wh..wh..opq"), reg("d/.wh..wh..opq"), reg("new"+name))
	}
	tree, err := apply(t, layer(t, lower...), layer(t, upper...))
	if err != nil {
		t.Fatal(err)
	}
	if tree.Get("/d") != nil {
		t.Error("a lower layer's node was not hidden")
	}
	if tree.Get("/newd/d") == nil {
		t.Error("the upper layer's own nodes are missing")
	}
}
