package image_test

import (
	"archive/tar"
	"strings"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// A small layer on top of a sealed image: hides, replaces, brings another seal.
func TestLayersOnTop(t *testing.T) {
	t.Parallel()
	const seal = ".immure/seal.json"
	for size, draw := range sizes {
		d := draw(t, 2)
		honest := d.seal(author())
		older := *d
		older.predicate = d.ofEpoch(1, nil)
		outdated, strangers := older.seal(author()), d.seal(stranger())
		forManifest := entry{name: seal, data: string(statement(t, d.image(), d.predicate, author()))}
		all := append(append([]entry{{name: ".immure/.wh..wh..opq"}}, d.declared...), honest)
		as := func(change func(*entry)) entry { e := honest; change(&e); return e }
		for _, c := range []struct {
			name        string
			lower, over []entry
			facet       string
		}{
			{"nothing", []entry{honest}, nil, ""},
			{"the seal again", []entry{honest}, []entry{honest}, ""},
			{"the seal over an older one", []entry{outdated}, []entry{honest}, ""},
			{"the seal over a stranger's", []entry{strangers}, []entry{honest}, ""},
			{"the seal over garbage", []entry{{name: seal, data: "{}"}}, []entry{honest}, ""},
			{"the seal in place of one hidden", []entry{strangers}, []entry{{name: ".immure/.wh.seal.json"}, honest}, ""},
			{"the seal before its whiteout", []entry{strangers}, []entry{honest, {name: ".immure/.wh.seal.json"}}, ""},
			{"all in place of all", []entry{strangers}, all, ""},
			{"an extra file that is hidden", []entry{honest, {name: ".immure/more"}}, []entry{{name: ".immure/.wh.more"}}, ""},

			{"an older seal", []entry{honest}, []entry{outdated}, "declarations"},
			{"a stranger's seal", []entry{honest}, []entry{strangers}, "signature"},
			{"an empty seal", []entry{honest}, []entry{{name: seal}}, "signature"},
			{"garbage", []entry{honest}, []entry{{name: seal, data: "{}"}}, "signature"},
			{"a statement as a seal", []entry{honest}, []entry{forManifest}, "signature"},
			{"a seal with a byte more", []entry{honest}, []entry{as(func(e *entry) { e.data += "\n" })}, "signature"},
			{"a seal that is too large", []entry{honest}, []entry{as(func(e *entry) { e.data += strings.Repeat(" ", 64<<10) })}, "signature"},
			{"the seal hidden", []entry{honest}, []entry{{name: ".immure/.wh.seal.json"}}, "signature"},
			{"all hidden", []entry{honest}, []entry{{name: ".wh..immure"}}, "signature"},
			{"all opaque", []entry{honest}, []entry{{name: ".immure/.wh..wh..opq"}}, "signature"},
			{"everything opaque", []entry{honest}, []entry{{name: ".wh..wh..opq"}}, "signature"},
			{"a link to the seal", []entry{honest}, []entry{{name: seal, kind: tar.TypeSymlink, link: "real"}, {name: ".immure/real", data: honest.data}}, "signature"},
			{"a directory for the seal", []entry{honest}, []entry{dir(seal + "/")}, "signature"},
			{"a pipe for the seal", []entry{honest}, []entry{{name: seal, kind: tar.TypeFifo}}, "signature"},
			{"a link to all", []entry{honest}, []entry{{name: ".immure", kind: tar.TypeSymlink, link: "real"}, {name: "real/seal.json", data: honest.data}}, "signature"},

			{"all hidden but the seal", []entry{honest}, []entry{{name: ".immure/.wh..wh..opq"}, honest}, "files"},
			{"the boundary hidden", []entry{honest}, []entry{{name: ".immure/.wh.boundary.json"}}, "files"},
			{"the filter hidden", []entry{honest}, []entry{{name: ".immure/.wh.seccomp.json"}}, "files"},
			{"the program hidden", []entry{honest}, []entry{{name: "usr/bin/.wh.hello"}}, "files"},
			{"a file more", []entry{honest}, []entry{{name: "usr/bin/sh"}}, "files"},
			{"a file more among them", []entry{honest}, []entry{{name: ".immure/more"}}, "files"},
			{"a setuid seal", []entry{honest}, []entry{as(func(e *entry) { e.mode = 0o4444 })}, "files"},
			{"a seal that runs", []entry{honest}, []entry{as(func(e *entry) { e.mode = 0o555 })}, "files"},
			{"a seal that all may write", []entry{honest}, []entry{as(func(e *entry) { e.mode = 0o666 })}, "files"},
			{"a seal of another owner", []entry{honest}, []entry{as(func(e *entry) { e.uid = 65532 })}, "files"},
		} {
			t.Run(size+"/"+c.name, func(t *testing.T) {
				img := d.image(layer(t, c.lower...), layer(t, c.over...))
				v, err := judge(t, img, newShelf())
				if c.facet != "" {
					refused(t, err, c.facet)
					return
				}
				must(t, err)
				if v.Predicate.Epoch != 2 || !v.Files {
					t.Errorf("got %+v", v)
				}
			})
		}
	}
}

// Where the manifest was signed and there is no seal, whiteouts hide
// declarations all the same.
func TestDeclarationsHidden(t *testing.T) {
	for size, draw := range sizes {
		d := draw(t, 1)
		for _, name := range []string{"boundary.json", "seccomp.json", "seccomp-envelope.json"} {
			for _, top := range [][]v1.Layer{
				{layer(t, entry{name: ".immure/.wh." + name})},
				{layer(t, d.seal(author())), layer(t, entry{name: ".immure/.wh." + name})},
			} {
				t.Run(size+"/"+name, func(t *testing.T) {
					facet := []string{"declarations", "files"}[len(top)-1]
					img := d.image(top...)
					_, err := judge(t, img, stated(t, img, d.predicate))
					refused(t, err, facet)
				})
			}
		}
	}
}

// Declarations that are not there, in an image that its author signed.
func TestWithoutDeclarations(t *testing.T) {
	d := newDraft(t, 1)
	d.declared = d.declared[:1]
	_, err := judge(t, d.sealed(), newShelf())
	refused(t, err, "declarations", "missing")

	d = newDraft(t, 1)
	d.declared[0] = entry{name: ".immure", kind: tar.TypeSymlink, link: "real"}
	_, err = judge(t, d.image(), stated(t, d.image(), d.predicate))
	failed(t, err, "not a directory")
}
