//go:build e2e

package hostile_test

import (
	"archive/tar"
	"bytes"
	"io"
	"testing"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/immure-dev/immure/attest"
	"github.com/immure-dev/immure/attest/tree"
	"github.com/immure-dev/immure/internal/rootfs"
)

// memory is a store of contents in memory.
type memory struct{}

func (memory) Put(r io.Reader, _ int64) (rootfs.Content, error) {
	data, err := io.ReadAll(r)
	return rootfs.Bytes(data), err
}

// flatten gives an image's files, to be changed at will.
func flatten(tb testing.TB, img v1.Image) *rootfs.Tree {
	tb.Helper()
	layers, err := img.Layers()
	must(tb, err)
	t := new(rootfs.Tree)
	for _, l := range layers {
		r, err := l.Uncompressed()
		must(tb, err)
		must(tb, t.Apply(r, memory{}, rootfs.DefaultLimits))
		must(tb, r.Close())
	}
	return t
}

// bytesOf reads a file of a tree.
func bytesOf(tb testing.TB, t *rootfs.Tree, path string) []byte {
	tb.Helper()
	n := t.Get(path)
	if n == nil || n.Type != rootfs.Regular {
		tb.Fatalf("%s is no regular file", path)
	}
	r, err := n.Content.Open()
	must(tb, err)
	defer r.Close()
	data, err := io.ReadAll(r)
	must(tb, err)
	return data
}

// write puts a file with the metadata of those that immure bakes.
func write(tb testing.TB, t *rootfs.Tree, path string, data []byte) {
	tb.Helper()
	must(tb, t.Put(rootfs.Node{Path: path, Type: rootfs.Regular, Mode: 0o444, Size: int64(len(data)), Content: rootfs.Bytes(data)}))
}

// layer packs a tree, uncompressed: nothing here is about compression.
func layer(tb testing.TB, t *rootfs.Tree) v1.Layer {
	tb.Helper()
	var b bytes.Buffer
	must(tb, t.WriteLayer(&b, time.Unix(0, 0)))
	return static.NewLayer(b.Bytes(), types.OCIUncompressedLayer)
}

// An entry is one of a layer that no honest writer makes.
type entry struct {
	name, link string
	kind       byte // tar.TypeReg when zero
	mode       int64
	data       string
	uid        int
	major      int64
	minor      int64
	records    map[string]string
}

// archive packs entries as they are.
func archive(tb testing.TB, entries ...entry) v1.Layer {
	tb.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, e := range entries {
		h := &tar.Header{
			Format: tar.FormatPAX, Typeflag: e.kind, Name: e.name, Linkname: e.link, Mode: e.mode, Size: int64(len(e.data)),
			Uid: e.uid, Devmajor: e.major, Devminor: e.minor, PAXRecords: e.records,
		}
		if h.Typeflag == 0 {
			h.Typeflag = tar.TypeReg
		}
		if h.Mode == 0 {
			h.Mode = 0o444
		}
		must(tb, w.WriteHeader(h))
		_, err := io.WriteString(w, e.data)
		must(tb, err)
	}
	must(tb, w.Close())
	return static.NewLayer(b.Bytes(), types.OCIUncompressedLayer)
}

// assemble makes an image of layers with a changed copy of a configuration.
func assemble(tb testing.TB, from v1.Image, change func(*v1.Config), layers ...v1.Layer) v1.Image {
	tb.Helper()
	config, err := from.ConfigFile()
	must(tb, err)
	config = config.DeepCopy()
	config.RootFS.DiffIDs, config.History = nil, nil
	if change != nil {
		change(&config.Config)
	}
	img, err := mutate.ConfigFile(mutate.ConfigMediaType(mutate.MediaType(empty.Image, types.OCIManifestSchema1), types.OCIConfigJSON), config)
	must(tb, err)
	for _, l := range layers {
		mediaType, err := l.MediaType()
		must(tb, err)
		img, err = mutate.Append(img, mutate.Addendum{Layer: l, MediaType: mediaType})
		must(tb, err)
	}
	return img
}

// repack is the fixture with other files, in one layer.
func (f *fixture) repack(tb testing.TB, t *rootfs.Tree) v1.Image {
	tb.Helper()
	return assemble(tb, f.img, nil, layer(tb, t))
}

// over is the fixture with layers on top.
func (f *fixture) over(tb testing.TB, top ...v1.Layer) v1.Image {
	tb.Helper()
	layers, err := f.img.Layers()
	must(tb, err)
	return assemble(tb, f.img, nil, append(layers, top...)...)
}

// reseal puts a seal by the trusted key, for p and the files of t, into t: what
// an author does, deceived or mistaken.
func (f *fixture) reseal(tb testing.TB, t *rootfs.Tree, p attest.Predicate) {
	tb.Helper()
	digest, err := tree.Digest(t, tree.SealPath)
	must(tb, err)
	seal, err := attest.Seal(p, digest, f.key)
	must(tb, err)
	write(tb, t, tree.SealPath, seal)
}
