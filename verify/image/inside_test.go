package image_test

import (
	"archive/tar"
	"slices"
	"strings"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/immure-dev/immure/attest/tree"
	"github.com/immure-dev/immure/verify/image"
)

// What an image holds is listed as engines would see it, with its own reasons.
func TestReadInside(t *testing.T) {
	for size, draw := range sizes {
		t.Run(size, func(t *testing.T) {
			d := draw(t, 1)
			d.find("etc/passwd").uid, d.find("etc/passwd").gid = 7, 8
			in, err := image.ReadInside(d.image(layer(t, d.seal(author()), entry{name: ".immure/.wh.apparmor"}, entry{name: "usr/bin/.wh.data"})))
			must(t, err)
			var paths []string
			var bytes int64
			for _, f := range in.Files {
				paths = append(paths, f.Path)
				bytes += f.Size
			}
			want := []string{
				"/.immure/boundary.json", "/.immure/files.json", "/.immure/seal.json", "/.immure/seccomp-envelope.json", "/.immure/seccomp.json",
				"/etc/motd", "/etc/passwd", "/usr/bin/hello",
			}
			if !slices.Equal(paths, want) || in.Bytes != bytes {
				t.Errorf("got %q with %d bytes, want %q", paths, in.Bytes, want)
			}
			file := func(path string) image.File { return in.Files[slices.Index(paths, path)] }
			if got := file("/usr/bin/hello"); got != (image.File{Path: "/usr/bin/hello", Mode: 0o555, Size: 7, Why: "the service"}) {
				t.Errorf("got %+v", got)
			}
			if got := file("/etc/motd"); got != (image.File{Path: "/etc/motd", Target: "passwd"}) {
				t.Errorf("got %+v", got)
			}
			if got := file("/etc/passwd"); got.UID != 7 || got.GID != 8 || got.Mode != 0o444 {
				t.Errorf("got %+v", got)
			}
			if got := file("/.immure/seal.json"); got.Why == "" {
				t.Errorf("got %+v", got)
			}
		})
	}
	d := newDraft(t, 1)
	d.find(".immure/files.json").data = "[]"
	if _, err := image.ReadInside(d.image()); err == nil || !strings.Contains(err.Error(), "files.json") {
		t.Errorf("reasons that are none were read: %v", err)
	}
}

// Claims are read whoever signed them, and of the seal that counts.
func TestClaimed(t *testing.T) {
	for size, draw := range sizes {
		t.Run(size, func(t *testing.T) {
			d := draw(t, 4)
			older := *d
			older.predicate = d.ofEpoch(3, looser)
			for _, img := range []v1.Image{
				d.sealed(),
				d.image(layer(t, d.seal(stranger()))),
				d.image(layer(t, older.seal(author())), layer(t, d.seal(stranger()))),
			} {
				p, err := image.Claimed(img)
				must(t, err)
				if same, err := p.Equal(d.predicate); err != nil || !same {
					t.Errorf("got epoch %d: %v", p.Epoch, err)
				}
			}
		})
	}
	d := newDraft(t, 1)
	for name, top := range map[string][]entry{
		"none":               nil,
		"hidden":             {{name: ".immure/.wh.seal.json"}},
		"empty":              {{name: tree.SealPath}},
		"garbage":            {{name: tree.SealPath, data: "{}"}},
		"a link":             {{name: tree.SealPath, kind: tar.TypeSymlink, link: "boundary.json"}},
		"signed garbage":     {{name: tree.SealPath, data: string(enveloped(t, "{}"))}},
		"no JSON in it":      {{name: tree.SealPath, data: string(enveloped(t, "boundary"))}},
		"not of one subject": {{name: tree.SealPath, data: string(enveloped(t, `{"_type":"x","subject":[]}`))}},
	} {
		t.Run(name, func(t *testing.T) {
			img := d.image(layer(t, top...))
			if p, err := image.Claimed(img); err == nil {
				t.Errorf("claims %+v", p)
			}
		})
	}
}

func TestBoundary(t *testing.T) {
	for size, draw := range sizes {
		d := draw(t, 1)
		want := d.find(".immure/boundary.json").data
		for name, c := range map[string]struct {
			img  v1.Image
			want string
		}{
			"sealed":      {d.sealed(), want},
			"unsealed":    {d.image(), want},
			"replaced":    {d.image(layer(t, entry{name: ".immure/boundary.json", data: "other"})), "other"},
			"empty":       {d.image(layer(t, entry{name: ".immure/boundary.json"})), ""},
			"underneath":  {d.imageOf(layer(t, d.declared...), layer(t, d.files...)), want},
			"moved along": {d.image(layer(t, entry{name: "more", kind: tar.TypeLink, link: ".immure/boundary.json"})), want},
		} {
			t.Run(size+"/"+name, func(t *testing.T) {
				if got, err := image.Boundary(c.img); err != nil || string(got) != c.want {
					t.Errorf("got %.80q, want %.80q: %v", got, c.want, err)
				}
			})
		}
		for name, top := range map[string]entry{
			"hidden":      {name: ".immure/.wh.boundary.json"},
			"all hidden":  {name: ".wh..immure"},
			"a link":      {name: ".immure/boundary.json", kind: tar.TypeSymlink, link: "apparmor"},
			"a directory": {name: ".immure/boundary.json/", kind: tar.TypeDir, mode: 0o755},
			"led out":     {name: "../more"},
		} {
			t.Run(size+"/"+name, func(t *testing.T) {
				if got, err := image.Boundary(d.image(layer(t, top))); err == nil {
					t.Errorf("got %.80q", got)
				}
			})
		}
	}
}

// What is sealed is the image that the predicate describes, and not yet sealed.
func TestUnsealed(t *testing.T) {
	d := newLargeDraft(t, 1)
	files, err := image.Unsealed(d.image(), d.predicate)
	must(t, err)
	digest, err := tree.Digest(files, tree.SealPath)
	must(t, err)
	v, err := judge(t, d.sealed(), newShelf())
	must(t, err)
	if v.TreeDigest != digest {
		t.Errorf("got %s, sealed was %s", digest, v.TreeDigest)
	}
	for _, top := range []entry{d.seal(author()), d.seal(stranger()), {name: tree.SealPath, data: "{}"}, {name: tree.SealPath}} {
		_, err := image.Unsealed(d.image(layer(t, top)), d.predicate)
		failed(t, err, "seal")
	}
	if _, err := image.Unsealed(d.image(layer(t, d.seal(author())), layer(t, entry{name: ".immure/.wh.seal.json"})), d.predicate); err != nil {
		t.Errorf("a hidden seal is none: %v", err)
	}
	_, err = image.Unsealed(d.image(layer(t, entry{name: "../more"})), d.predicate)
	failed(t, err)
	for name, c := range map[string]struct {
		facet  string
		change func(*draft)
	}{
		"boundary":   {"declarations", func(d *draft) { d.find(".immure/boundary.json").data += "\n" }},
		"filter":     {"declarations", func(d *draft) { d.find(".immure/seccomp.json").data = `{"defaultAction":"SCMP_ACT_ALLOW"}` }},
		"no filter":  {"declarations", func(d *draft) { d.drop(".immure/seccomp-envelope.json") }},
		"label":      {"declarations", func(d *draft) { d.config.Labels["dev.immure.epoch"] = "2" }},
		"predicate":  {"declarations", func(d *draft) { d.sign(looser) }},
		"user":       {"user.uid", func(d *draft) { d.config.User = "0:65533" }},
		"program":    {"process.args", func(d *draft) { d.config.Entrypoint = []string{"/bin/sh"} }},
		"a variable": {"process.env", func(d *draft) { d.config.Env = append(d.config.Env, "LD_PRELOAD=/x") }},
	} {
		t.Run(name, func(t *testing.T) {
			d := newDraft(t, 1)
			c.change(d)
			_, err := image.Unsealed(d.image(), d.predicate)
			refused(t, err, c.facet)
		})
	}
}
