package image_test

import (
	"archive/tar"
	"bytes"
	"fmt"
	"io"
	"strings"
	"sync/atomic"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// overTop is the image with entries in layers of their own, compressed, so that
// what they unpack to does not show.
func (d *draft) overTop(layers ...[]entry) v1.Image {
	d.tb.Helper()
	top := []v1.Layer{layer(d.tb, d.seal(author()))}
	for _, entries := range layers {
		data := archive(d.tb, entries...)
		top = append(top, newPacked(gzipped(d.tb, data), data, types.OCILayer))
	}
	return d.image(top...)
}

// Files beneath /.immure are held in memory, those of other paths are not.
func TestTooMuchDeclared(t *testing.T) {
	t.Parallel()
	const most = 1 << 20
	zeros := strings.Repeat("\x00", most)
	file := func(i int, data string) []entry { return []entry{{name: fmt.Sprintf(".immure/%d", i), data: data}} }
	var many, again [][]entry
	for i := range 5 {
		many = append(many, file(i, zeros))
		again = append(again, file(0, zeros))
	}
	for size, draw := range sizes {
		for name, layers := range map[string][][]entry{
			"a large file":                {file(0, zeros+"\x00")},
			"a large file that is hidden": {file(0, zeros+"\x00"), {{name: ".immure/.wh.0"}}},
			"many files":                  many,
			"one file again and again":    again,
			"a file further in":           {{{name: ".immure/more/0", data: zeros + "\x00"}}},
		} {
			t.Run(size+"/"+name, func(t *testing.T) {
				_, err := judge(t, draw(t, 1).overTop(layers...), newShelf())
				failed(t, err, "beneath /.immure")
			})
		}
		t.Run(size+"/allowed", func(t *testing.T) {
			d := draw(t, 1)
			d.declared = append(d.declared, file(0, zeros)...)
			d.files = append(d.files, entry{name: "usr/bin/large", data: zeros + zeros})
			_, err := judge(t, d.sealed(), newShelf())
			must(t, err)
		})
	}
}

// One content under many names is unpacked as often.
func TestManyNamesOfOneFile(t *testing.T) {
	t.Parallel()
	const size, names = 4 << 20, 4200 // 16.4 GiB
	content := strings.Repeat("\x00", size)
	links := func(prefix string, n int) (links []entry) {
		for i := range n {
			links = append(links, entry{name: fmt.Sprintf("usr/%s%d", prefix, i), kind: tar.TypeLink, link: "usr/a"})
		}
		return links
	}
	for name, layers := range map[string][][]entry{
		"in one layer":  {append([]entry{{name: "usr/a", data: content}}, links("b", names)...)},
		"in two layers": {append([]entry{{name: "usr/a", data: content}}, links("b", names/2)...), links("c", names/2)},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := judge(t, newDraft(t, 1).overTop(layers...), newShelf())
			failed(t, err, "bytes")
		})
	}
}

// A layer whose headers promise more than may be unpacked is not read on.
func TestPromisesTooMuch(t *testing.T) {
	for name, header := range map[string]*tar.Header{
		"a file":           {Typeflag: tar.TypeReg, Name: "usr/a", Mode: 0o444, Size: 17 << 30},
		"a declaration":    {Typeflag: tar.TypeReg, Name: ".immure/a", Mode: 0o444, Size: 2 << 20},
		"a seal":           {Typeflag: tar.TypeReg, Name: ".immure/seal.json", Mode: 0o444, Size: 1 << 40},
		"the largest file": {Typeflag: tar.TypeReg, Name: "usr/a", Mode: 0o444, Size: 1<<63 - 1024},
	} {
		t.Run(name, func(t *testing.T) {
			var b bytes.Buffer
			header.Format = tar.FormatPAX
			must(t, tar.NewWriter(&b).WriteHeader(header))
			d := newDraft(t, 1)
			img := d.sealed()
			layers, err := img.Layers()
			must(t, err)
			endless := &endless{Layer: static.NewLayer(b.Bytes(), types.OCIUncompressedLayer)}
			_, err = judge(t, unlisted{img, append(layers, endless)}, newShelf())
			failed(t, err, "layer 4: ")
			if n := endless.read.Load(); n > 4<<20 {
				t.Errorf("%d bytes were read", n)
			}
		})
	}
}

// endless is a layer that goes on with zeros, until a test has seen enough.
type endless struct {
	v1.Layer
	read atomic.Int64
}

func (e *endless) Compressed() (io.ReadCloser, error) {
	r, err := e.Layer.Compressed()
	if err != nil {
		return nil, err
	}
	return io.NopCloser(io.MultiReader(r, zeros{e})), nil
}

type zeros struct{ of *endless }

func (z zeros) Read(p []byte) (int, error) {
	clear(p)
	if z.of.read.Add(int64(len(p))) > 64<<20 {
		return 0, errSource
	}
	return len(p), nil
}
