package image_test

import (
	"archive/tar"
	"bytes"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/immure-dev/immure/attest/tree"
	"github.com/immure-dev/immure/internal/rootfs"
	"github.com/immure-dev/immure/verify/image"
)

// own gives entries to whoever runs the test, who may not be root.
func own(entries ...entry) []entry {
	for i := range entries {
		entries[i].uid, entries[i].gid = os.Getuid(), os.Getgid()
	}
	return entries
}

// A yard is a directory to unpack into, with a neighbour that must stay as it
// is.
type yard struct{ root, dir string }

func newYard(t *testing.T) yard {
	t.Helper()
	root := t.TempDir()
	y := yard{root, filepath.Join(root, "dir")}
	must(t, os.Mkdir(y.dir, 0o700))
	must(t, os.WriteFile(filepath.Join(root, "secret"), []byte("secret"), 0o600))
	return y
}

// undisturbed wants nothing new outside of the directory and the neighbour as
// it was.
func (y yard) undisturbed(t *testing.T) {
	t.Helper()
	entries, err := os.ReadDir(y.root)
	must(t, err)
	if len(entries) != 2 {
		t.Errorf("outside there are %v", entries)
	}
	secret := filepath.Join(y.root, "secret")
	data, err := os.ReadFile(secret)
	must(t, err)
	info, err := os.Stat(secret)
	must(t, err)
	if string(data) != "secret" || info.Mode() != 0o600 {
		t.Errorf("the neighbour is %q, %v", data, info.Mode())
	}
}

func TestExtract(t *testing.T) {
	d := newLargeDraft(t, 1)
	own(d.files...)
	own(d.declared...)
	d.find(".immure/").mode = 0o755 // or the test could not remove it
	seal := d.seal(author())
	img := d.image(layer(t, own(seal, entry{name: "etc/.wh.motd"}, entry{name: "usr/bin/hello", data: "#!other", mode: 0o755}, dir("opt/"))...))
	y := newYard(t)
	must(t, image.Extract(img, y.dir))
	y.undisturbed(t)

	var want rootfs.Tree
	layers, err := img.Layers()
	must(t, err)
	for _, l := range layers {
		r, err := l.Uncompressed()
		must(t, err)
		must(t, want.Apply(r, tree.Hasher{}, rootfs.DefaultLimits))
		must(t, r.Close())
	}
	got, err := rootfs.ReadDir(y.dir, rootfs.DefaultLimits)
	must(t, err)
	defer got.Close()
	wanted, err := tree.Digest(&want)
	must(t, err)
	if digest, err := tree.Digest(got); err != nil || digest != wanted {
		t.Errorf("got %s, want %s: %v", digest, wanted, err)
	}
	if data, err := os.ReadFile(filepath.Join(y.dir, "usr/bin/hello")); err != nil || string(data) != "#!other" {
		t.Errorf("got %q: %v", data, err)
	}
	if _, err := os.Lstat(filepath.Join(y.dir, "etc/motd")); !os.IsNotExist(err) {
		t.Errorf("the whiteout hid nothing: %v", err)
	}
	if data, err := os.ReadFile(filepath.Join(y.dir, tree.SealPath)); err != nil || string(data) != seal.data {
		t.Errorf("got the seal %q: %v", data, err)
	}
}

// Layers that want to be outside.
func TestExtractHostile(t *testing.T) {
	base := func() []entry { return own(dir("./"), dir("etc/"), entry{name: "etc/passwd"}) }
	link := func(name, to string) entry { return entry{name: name, kind: tar.TypeSymlink, link: to} }
	hard := func(name, to string) entry { return entry{name: name, kind: tar.TypeLink, link: to} }
	for name, layers := range map[string][][]entry{
		"..":                          {base(), {{name: "../new"}}},
		".. to the neighbour":         {base(), {{name: "../secret", data: "mine", mode: 0o666}}},
		".. within":                   {base(), {{name: "etc/../../new"}}},
		"a directory ..":              {base(), {dir("../new/")}},
		"a link to .. and through it": {base(), {link("l", ".."), {name: "l/new"}}},
		"the same in two layers":      {base(), {link("l", "..")}, {{name: "l/new"}}},
		"a link over a directory":     {base(), {link("etc", "..")}, {{name: "etc/new"}}},
		"a link and a directory":      {base(), {link("l", "..")}, {dir("l/new/")}},
		"a hard link through a link":  {base(), {link("l", "..")}, {hard("x", "l/secret")}},
		"a hard link ..":              {base(), {hard("x", "../secret")}},
		"a hard link to the host":     {base(), {hard("x", "/etc/shadow")}},
		"a link for the root":         {{link(".", "..")}, base()},
		"a whiteout of the root":      {base(), {{name: ".wh.."}}},
		"a whiteout of ..":            {base(), {{name: ".wh..."}}},
		"a whiteout of the neighbour": {base(), {{name: "../.wh.secret"}}},
		"a whiteout through a link":   {base(), {link("l", "..")}, {{name: "l/.wh.secret"}}},
	} {
		t.Run(name, func(t *testing.T) {
			y := newYard(t)
			d := newDraft(t, 1)
			var ls []v1.Layer
			for _, entries := range layers {
				ls = append(ls, layer(t, own(entries...)...))
			}
			if err := image.Extract(d.imageOf(ls...), y.dir); err == nil {
				t.Error("it was unpacked")
			}
			y.undisturbed(t)
		})
	}
}

// Names that only look as if they led out, and files that are only written.
func TestExtractAbsolute(t *testing.T) {
	y := newYard(t)
	d := newDraft(t, 1)
	secret := filepath.Join(y.root, "secret")
	must(t, image.Extract(d.imageOf(layer(t, own(
		dir("/"), entry{name: "/new", data: "#"}, entry{name: "out", kind: tar.TypeSymlink, link: secret},
		entry{name: "up", kind: tar.TypeSymlink, link: "../secret"}, entry{name: "again", kind: tar.TypeLink, link: "/new"},
		entry{name: "pipe", kind: tar.TypeFifo},
	)...), layer(t, own(entry{name: "out", data: "mine", mode: 0o666})...)), y.dir))
	y.undisturbed(t)
	for name, want := range map[string]string{"new": "#", "again": "#", "out": "mine"} {
		if data, err := os.ReadFile(filepath.Join(y.dir, name)); err != nil || string(data) != want {
			t.Errorf("%s is %q: %v", name, data, err)
		}
	}
	if info, err := os.Lstat(filepath.Join(y.dir, "pipe")); err != nil || info.Mode().Type() != fs.ModeNamedPipe {
		t.Errorf("got %v: %v", info, err)
	}
}

// A device is made, by those who may, within the directory and nowhere else.
func TestExtractDevice(t *testing.T) {
	y := newYard(t)
	err := image.Extract(newDraft(t, 1).imageOf(layer(t, own(dir("./"), entry{name: "null", kind: tar.TypeChar, major: 1, minor: 3})...)), y.dir)
	info, statErr := os.Lstat(filepath.Join(y.dir, "null"))
	if err == nil && (statErr != nil || info.Mode().Type() != fs.ModeDevice|fs.ModeCharDevice) {
		t.Errorf("got %v: %v", info, statErr)
	}
	if err != nil && !strings.Contains(err.Error(), "mknod") {
		t.Errorf("got %v", err)
	}
	y.undisturbed(t)
}

// What Verify does not read, Extract does not write.
func TestExtractRefuses(t *testing.T) {
	d := newDraft(t, 1)
	own(d.files...)
	data := archive(t, d.files...)
	for name, l := range map[string]v1.Layer{
		"media type":  static.NewLayer(data, types.OCIConfigJSON),
		"compression": static.NewLayer(data, types.OCILayer),
		"bytes after": static.NewLayer(append(gzipped(t, data), '#'), types.OCILayer),
		"cut short":   static.NewLayer(data[:700], types.OCIUncompressedLayer),
		"two of them": static.NewLayer(bytes.Repeat(data, 2), types.OCIUncompressedLayer),
		"no answer":   failing{Layer: layer(t, d.files...), bytes: errSource},
	} {
		t.Run(name, func(t *testing.T) {
			y := newYard(t)
			if err := image.Extract(unlisted{d.image(), []v1.Layer{l}}, y.dir); err == nil {
				t.Error("it was unpacked")
			}
			y.undisturbed(t)
		})
	}
	y := newYard(t)
	must(t, os.WriteFile(filepath.Join(y.dir, "there"), nil, 0o600))
	if err := image.Extract(d.imageOf(layer(t, d.files...)), y.dir); err == nil {
		t.Error("a directory that is not empty was unpacked into")
	}
	y.undisturbed(t)
	if err := image.Extract(d.image(), filepath.Join(y.root, "missing")); err == nil {
		t.Error("unpacked into nothing")
	}
	if err := image.Extract(unlisted{d.image(), nil}, y.dir); err == nil {
		t.Error("an image without layers was unpacked")
	}
	y.undisturbed(t)
}
