package image_test

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"strings"
	"sync/atomic"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"github.com/klauspost/compress/zstd"

	"github.com/immure-dev/immure/verify/image"
)

func plain(_ testing.TB, data []byte) []byte { return data }

func gzipped(tb testing.TB, data []byte) []byte {
	tb.Helper()
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	_, err := w.Write(data)
	must(tb, err)
	must(tb, w.Close())
	return b.Bytes()
}

func zstandard(tb testing.TB, data []byte) []byte {
	tb.Helper()
	w, err := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1), zstd.WithWindowSize(1<<20))
	must(tb, err)
	return w.EncodeAll(data, nil)
}

// Layers in every form that engines take have one tree digest.
func TestLayerForms(t *testing.T) {
	d := newDraft(t, 1)
	seal := d.seal(author())
	want, err := judge(t, d.sealed(), newShelf())
	must(t, err)
	for mediaType, pack := range map[types.MediaType]func(testing.TB, []byte) []byte{
		types.OCILayer: gzipped, types.OCILayerZStd: zstandard, types.OCIUncompressedLayer: plain,
		types.DockerLayer: gzipped, types.DockerUncompressedLayer: plain,
	} {
		for _, manifest := range []types.MediaType{types.OCIManifestSchema1, types.DockerManifestSchema2} {
			t.Run(string(mediaType)+" in "+string(manifest), func(t *testing.T) {
				var layers []v1.Layer
				for _, entries := range [][]entry{d.files, d.declared, {seal}} {
					data := archive(t, entries...)
					layers = append(layers, newPacked(pack(t, data), data, mediaType))
				}
				img := mutate.MediaType(d.imageOf(layers...), manifest)
				got, err := judge(t, img, stated(t, img, d.predicate))
				must(t, err)
				if got.TreeDigest != want.TreeDigest || !got.Statement || !got.Files {
					t.Errorf("got %+v", got)
				}
			})
		}
	}
}

// Layers that two programs would unpack to two things, or that end early.
func TestLayersThatMislead(t *testing.T) {
	d := newDraft(t, 1)
	more := archive(t, entry{name: "usr/bin/more", data: "#!"})
	join := func(parts ...[]byte) []byte { return bytes.Join(parts, nil) }
	for name, c := range map[string]struct {
		mediaType types.MediaType
		pack      func(testing.TB, []byte) []byte
	}{
		"no media type":           {"", plain},
		"no layer":                {types.OCIConfigJSON, plain},
		"a foreign layer":         {types.DockerForeignLayer, gzipped},
		"a restricted layer":      {types.OCIRestrictedLayer, gzipped},
		"another compression":     {"application/vnd.oci.image.layer.v1.tar+xz", gzipped},
		"a parameter":             {types.OCILayer + "; charset=utf-8", gzipped},
		"zstd as gzip":            {types.OCILayer, zstandard},
		"gzip as zstd":            {types.OCILayerZStd, gzipped},
		"gzip as none":            {types.OCIUncompressedLayer, gzipped},
		"none as gzip":            {types.OCILayer, plain},
		"nothing":                 {types.OCILayer, func(testing.TB, []byte) []byte { return nil }},
		"gzip and bytes":          {types.OCILayer, func(tb testing.TB, b []byte) []byte { return join(gzipped(tb, b), []byte("more")) }},
		"gzip and an archive":     {types.OCILayer, func(tb testing.TB, b []byte) []byte { return join(gzipped(tb, b), more) }},
		"gzip and zeros":          {types.OCILayer, func(tb testing.TB, b []byte) []byte { return join(gzipped(tb, b), make([]byte, 1<<16)) }},
		"gzip twice":              {types.OCILayer, func(tb testing.TB, b []byte) []byte { return join(gzipped(tb, b), gzipped(tb, more)) }},
		"gzip cut short":          {types.OCILayer, func(tb testing.TB, b []byte) []byte { z := gzipped(tb, b); return z[:len(z)-9] }},
		"gzip of another sum":     {types.OCILayer, func(tb testing.TB, b []byte) []byte { z := gzipped(tb, b); z[len(z)-8] ^= 1; return z }},
		"zstd and bytes":          {types.OCILayerZStd, func(tb testing.TB, b []byte) []byte { return join(zstandard(tb, b), []byte("more")) }},
		"zstd twice":              {types.OCILayerZStd, func(tb testing.TB, b []byte) []byte { return join(zstandard(tb, b), zstandard(tb, more)) }},
		"zstd cut short":          {types.OCILayerZStd, func(tb testing.TB, b []byte) []byte { z := zstandard(tb, b); return z[:len(z)-5] }},
		"an archive and bytes":    {types.OCIUncompressedLayer, func(_ testing.TB, b []byte) []byte { return join(b, []byte("more")) }},
		"two archives":            {types.OCIUncompressedLayer, func(_ testing.TB, b []byte) []byte { return join(b, more) }},
		"an archive cut short":    {types.OCIUncompressedLayer, func(_ testing.TB, b []byte) []byte { return b[:700] }},
		"not an archive":          {types.OCIUncompressedLayer, func(testing.TB, []byte) []byte { return bytes.Repeat([]byte("#"), 2048) }},
		"an archive in two gzips": {types.OCIUncompressedLayer, func(tb testing.TB, b []byte) []byte { return gzipped(tb, gzipped(tb, b)) }},
	} {
		t.Run(name, func(t *testing.T) {
			seal := layer(t, d.seal(author()))
			files, declared := archive(t, d.files...), archive(t, d.declared...)
			bad := func(data []byte) v1.Layer { return newPacked(c.pack(t, data), data, c.mediaType) }
			for _, img := range []v1.Image{
				d.imageOf(bad(files), layer(t, d.declared...), seal),
				d.imageOf(layer(t, d.files...), bad(declared), seal),
			} {
				_, err := judge(t, img, newShelf())
				failed(t, err, "layer ")
			}
		})
	}
}

// What leads out of a layer, or is not what it seems, in a layer on top of a
// sealed image.
func TestEntriesThatMislead(t *testing.T) {
	t.Parallel()
	for name, entries := range map[string][]entry{
		"..":                         {{name: "../etc/passwd"}},
		".. within":                  {{name: "usr/../../etc/passwd"}},
		"absolute ..":                {{name: "/../etc/passwd"}},
		"a hard link out":            {{name: "etc/shadow", kind: tar.TypeLink, link: "../../etc/shadow"}},
		"a hard link to nothing":     {{name: "etc/shadow", kind: tar.TypeLink, link: "/etc/shadow"}},
		"a hard link to a directory": {{name: "usr/lib", kind: tar.TypeLink, link: "usr/bin"}},
		"a hard link through a link": {{name: "l", kind: tar.TypeSymlink, link: "etc"}, {name: "x", kind: tar.TypeLink, link: "l/passwd"}},
		"a file through a link":      {{name: "l", kind: tar.TypeSymlink, link: ".immure"}, {name: "l/seal.json", data: "{}"}},
		"declarations of a service":  {{name: ".immure/more", kind: tar.TypeLink, link: "usr/bin/hello", mode: 0o555}},
		"a whiteout of the root":     {{name: ".wh.."}},
		"a whiteout of the parent":   {{name: "etc/.wh..."}},
		"a whiteout of no name":      {{name: ".wh."}},
		"a whiteout with content":    {{name: ".immure/.wh.seal.json", data: "#"}},
		"a directory as a whiteout":  {{name: ".immure/.wh.seal.json/", kind: tar.TypeDir, mode: 0o755}},
		"a root that is a link":      {{name: "./", kind: tar.TypeSymlink, link: "/"}},
		"a root that is a file":      {{name: "."}},
		"a name that is not UTF-8":   {{name: "etc/\xff"}},
	} {
		for size, draw := range sizes {
			t.Run(size+"/"+name, func(t *testing.T) {
				d := draw(t, 1)
				seal := layer(t, d.seal(author()))
				_, err := judge(t, d.image(seal, layer(t, entries...)), newShelf())
				failed(t, err)
			})
		}
	}
}

// Image and layers that fail where they are asked.
func TestLayersThatFail(t *testing.T) {
	d := newDraft(t, 1)
	for name, l := range map[string]v1.Layer{
		"media type": failing{Layer: layer(t, d.files...), mediaType: errors.New("no such thing")},
		"bytes":      failing{Layer: layer(t, d.files...), bytes: errors.New("no such thing")},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := judge(t, unlisted{d.sealed(), []v1.Layer{l}}, newShelf())
			failed(t, err, "no such thing")
		})
	}
	_, err := judge(t, unlisted{d.sealed(), nil}, newShelf())
	failed(t, err, "no layers")
}

// failing is a layer that does not answer.
type failing struct {
	v1.Layer
	mediaType, bytes error
}

func (f failing) MediaType() (types.MediaType, error) {
	if f.mediaType != nil {
		return "", f.mediaType
	}
	return f.Layer.MediaType()
}

func (f failing) Compressed() (io.ReadCloser, error) {
	if f.bytes != nil {
		return nil, f.bytes
	}
	return f.Layer.Compressed()
}

// unlisted is an image with other layers than its manifest lists, or none to
// give.
type unlisted struct {
	v1.Image
	layers []v1.Layer
}

func (u unlisted) Layers() ([]v1.Layer, error) {
	if u.layers == nil {
		return nil, errors.New("no layers")
	}
	return u.layers, nil
}

// Whatever ends a reading, no layer stays open.
func TestLayersAreClosed(t *testing.T) {
	for size, draw := range sizes {
		d := draw(t, 1)
		seal := layer(t, d.seal(author()))
		for name, top := range map[string][]v1.Layer{
			"accepted":    {seal},
			"refused":     {layer(t, d.seal(stranger()))},
			"no archive":  {static.NewLayer([]byte(strings.Repeat("#", 1024)), types.OCIUncompressedLayer), seal},
			"no gzip":     {static.NewLayer([]byte("#"), types.OCILayer), seal},
			"no zstd":     {static.NewLayer([]byte("#"), types.OCILayerZStd), seal},
			"no layer":    {static.NewLayer([]byte("#"), types.OCIConfigJSON), seal},
			"bytes after": {static.NewLayer(append(gzipped(t, archive(t)), '#'), types.OCILayer), seal},
		} {
			t.Run(size+"/"+name, func(t *testing.T) {
				var open, opened atomic.Int64
				img := d.image(top...)
				layers, err := img.Layers()
				must(t, err)
				for i := range layers {
					layers[i] = counted{layers[i], &open, &opened}
				}
				if _, err := judge(t, unlisted{img, layers}, newShelf()); (err == nil) != (name == "accepted") {
					t.Errorf("got %v", err)
				}
				if opened.Load() == 0 || open.Load() != 0 {
					t.Errorf("%d of %d layers are open", open.Load(), opened.Load())
				}
			})
		}
	}
}

// Where the manifest was signed a brief reading opens no large layer.
func TestBriefReadsLittle(t *testing.T) {
	d := newLargeDraft(t, 1)
	img := d.sealed()
	layers, err := img.Layers()
	must(t, err)
	var open, opened atomic.Int64
	layers[0] = counted{layers[0], &open, &opened}
	for _, full := range []bool{false, true} {
		in := image.Input{Image: unlisted{img, layers}, Beside: stated(t, img, d.predicate)}
		v, err := image.Verify(t.Context(), in, image.Options{Trusted: trust(author()), Files: full})
		must(t, err)
		if v.Files != full || (opened.Load() > 0) != full {
			t.Errorf("the large layer was opened %d times for %+v", opened.Load(), v)
		}
	}
}

// counted is a layer that knows how often it is open.
type counted struct {
	v1.Layer
	open, opened *atomic.Int64
}

func (c counted) Compressed() (io.ReadCloser, error) {
	r, err := c.Layer.Compressed()
	if err != nil {
		return nil, err
	}
	c.open.Add(1)
	c.opened.Add(1)
	return &countedReader{ReadCloser: r, open: c.open}, nil
}

type countedReader struct {
	io.ReadCloser
	open   *atomic.Int64
	closed atomic.Bool
}

func (c *countedReader) Close() error {
	if !c.closed.Swap(true) {
		c.open.Add(-1)
	}
	return c.ReadCloser.Close()
}
