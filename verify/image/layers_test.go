package image_test

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"github.com/klauspost/compress/zstd"
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
