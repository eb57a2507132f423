package image_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/immure-dev/immure/internal/oci/content"
	"github.com/immure-dev/immure/verify/image"
)

var errSource = errors.New("no answer")

// A liar is a source some of whose answers are replaced.
type liar struct {
	content.Source
	manifest, blob func(io.ReadCloser) (io.ReadCloser, error)
	referrers      func([]v1.Descriptor) ([]v1.Descriptor, error)
}

func (l liar) Manifest(ctx context.Context, digest v1.Hash) (io.ReadCloser, error) {
	r, err := l.Source.Manifest(ctx, digest)
	if err != nil || l.manifest == nil {
		return r, err
	}
	return l.manifest(r)
}

func (l liar) Blob(ctx context.Context, digest v1.Hash) (io.ReadCloser, error) {
	r, err := l.Source.Blob(ctx, digest)
	if err != nil || l.blob == nil {
		return r, err
	}
	return l.blob(r)
}

func (l liar) Referrers(ctx context.Context, digest v1.Hash) ([]v1.Descriptor, error) {
	ds, err := l.Source.Referrers(ctx, digest)
	if err != nil || l.referrers == nil {
		return ds, err
	}
	return l.referrers(ds)
}

func instead(data string) func(io.ReadCloser) (io.ReadCloser, error) {
	return func(io.ReadCloser) (io.ReadCloser, error) { return io.NopCloser(strings.NewReader(data)), nil }
}

func more(r io.ReadCloser) (io.ReadCloser, error) {
	return io.NopCloser(io.MultiReader(r, strings.NewReader(" "))), nil
}

func less(r io.ReadCloser) (io.ReadCloser, error) {
	data, err := io.ReadAll(r)
	return io.NopCloser(bytes.NewReader(data[:len(data)-1])), err
}

func endlessly(io.ReadCloser) (io.ReadCloser, error) {
	return io.NopCloser(zeros{new(endless)}), nil
}

func noAnswer(io.ReadCloser) (io.ReadCloser, error) { return nil, errSource }

func noMore(r io.ReadCloser) (io.ReadCloser, error) {
	return io.NopCloser(io.MultiReader(io.LimitReader(r, 10), failingReader{})), nil
}

type failingReader struct{}

func (failingReader) Read([]byte) (int, error) { return 0, errSource }

// A source that fails or lies could be hiding the statement that counts: no
// seal makes up for that.
func TestSourcesThatLie(t *testing.T) {
	t.Parallel()
	many := func(n int) func([]v1.Descriptor) ([]v1.Descriptor, error) {
		return func(ds []v1.Descriptor) ([]v1.Descriptor, error) {
			for i := range n {
				d := ds[0]
				d.Digest.Hex = fmt.Sprintf("%064x", i)
				ds = append(ds, d)
			}
			return ds, nil
		}
	}
	for name, lie := range map[string]liar{
		"no list":                {referrers: func([]v1.Descriptor) ([]v1.Descriptor, error) { return nil, errSource }},
		"a manifest missing":     {referrers: many(1)},
		"hundreds missing":       {referrers: many(300)},
		"more than may be":       {referrers: many(content.MaxDescriptors + 1)},
		"no manifest":            {manifest: noAnswer},
		"part of a manifest":     {manifest: noMore},
		"another manifest":       {manifest: instead("{}")},
		"a longer manifest":      {manifest: more},
		"a shorter manifest":     {manifest: less},
		"an endless manifest":    {manifest: endlessly},
		"no bundle":              {blob: noAnswer},
		"part of a bundle":       {blob: noMore},
		"another bundle":         {blob: instead("{}")},
		"a longer bundle":        {blob: more},
		"a shorter bundle":       {blob: less},
		"an endless bundle":      {blob: endlessly},
		"an empty bundle":        {blob: instead("")},
		"an empty manifest":      {manifest: instead("")},
		"bundles for a manifest": {manifest: instead(`{"mediaType":"application/vnd.dev.sigstore.bundle.v0.3+json"}`)},
	} {
		t.Run(name, func(t *testing.T) {
			d := newDraft(t, 1)
			img := d.sealed()
			lie.Source = stated(t, img, d.predicate)
			_, err := judge(t, img, lie)
			failed(t, err)
		})
	}
}

// Nothing is accepted once the context is done, and nobody waits for a source
// that does not answer.
func TestCancelled(t *testing.T) {
	d := newDraft(t, 1)
	img := d.sealed()
	for name, beside := range map[string]content.Source{
		"honest": stated(t, img, d.predicate),
		"silent": silent{},
	} {
		t.Run(name, func(t *testing.T) {
			for _, o := range []image.Options{{Trusted: trust(author())}, {Trusted: trust(author()), Files: true}} {
				ctx, cancel := context.WithCancel(t.Context())
				cancel()
				v, err := image.Verify(ctx, image.Input{Image: img, Beside: beside}, o)
				if v != nil || !errors.Is(err, context.Canceled) {
					t.Errorf("got %+v: %v", v, err)
				}
			}
		})
	}
	ctx, cancel := context.WithCancel(t.Context())
	_, err := image.Verify(ctx, image.Input{Image: img, Beside: silent{cancel}}, image.Options{Trusted: trust(author())})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

// silent answers when nobody listens any more. It calls asked, if there is one.
type silent struct{ asked func() }

func (s silent) wait(ctx context.Context) error {
	if s.asked != nil {
		s.asked()
	}
	<-ctx.Done()
	return ctx.Err()
}

func (s silent) Manifest(ctx context.Context, _ v1.Hash) (io.ReadCloser, error) {
	return nil, s.wait(ctx)
}

func (s silent) Blob(ctx context.Context, _ v1.Hash) (io.ReadCloser, error) { return nil, s.wait(ctx) }

func (s silent) Referrers(ctx context.Context, _ v1.Hash) ([]v1.Descriptor, error) {
	return nil, s.wait(ctx)
}

// An image that is itself read from a source that lies.
func TestImagesFromSources(t *testing.T) {
	for size, draw := range sizes {
		d := draw(t, 1)
		img := d.sealed()
		s := stated(t, img, d.predicate)
		s.keep(t, img)
		digest, err := img.Digest()
		must(t, err)
		layers, err := img.Layers()
		must(t, err)
		t.Run(size+"/honest", func(t *testing.T) {
			read, err := content.Image(t.Context(), s, digest)
			must(t, err)
			v, err := judge(t, read, s)
			if err != nil || !v.Statement || !v.Files {
				t.Errorf("got %+v: %v", v, err)
			}
		})
		for i, l := range layers {
			t.Run(fmt.Sprintf("%s/layer %d", size, i+1), func(t *testing.T) {
				h, err := l.Digest()
				must(t, err)
				good := s.blobs[h]
				for _, bad := range [][]byte{good[:len(good)-1], append(good[:len(good):len(good)], 0), bytes.Replace(good, []byte("0444"), []byte("0644"), 1), nil} {
					s.blobs[h] = bad
					read, err := content.Image(t.Context(), s, digest)
					must(t, err)
					_, err = judge(t, read, newShelf())
					failed(t, err, "layer ")
				}
				s.blobs[h] = good
			})
		}
	}
}

// keep puts the image itself on the shelf.
func (s *shelf) keep(tb testing.TB, img v1.Image) {
	tb.Helper()
	raw, err := img.RawManifest()
	must(tb, err)
	m, err := img.Manifest()
	must(tb, err)
	config, err := img.RawConfigFile()
	must(tb, err)
	digest, err := img.Digest()
	must(tb, err)
	s.blobs[digest], s.blobs[m.Config.Digest] = raw, config
	layers, err := img.Layers()
	must(tb, err)
	for i, l := range layers {
		r, err := l.Compressed()
		must(tb, err)
		data, err := io.ReadAll(r)
		must(tb, err)
		must(tb, r.Close())
		s.blobs[m.Layers[i].Digest] = data
	}
}
