package image_test

import (
	"errors"
	"io"
	"strings"
	"sync/atomic"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/immure-dev/immure/verify/image"
)

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
