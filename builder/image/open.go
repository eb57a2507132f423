package image

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/immure-dev/immure/internal/oci/layout"
	"github.com/immure-dev/immure/internal/oci/registry"
)

// Platform is the only one that images are read for.
var platform = v1.Platform{OS: "linux", Architecture: "amd64"}

// An UnpinnedError reports a registry reference without a digest.
type UnpinnedError struct {
	Ref    string
	Pinned string // with the digest that the reference leads to now
}

func (e *UnpinnedError) Error() string {
	return fmt.Sprintf("image %q can change: write %s", e.Ref, e.Pinned)
}

// An Image is an opened image. Close frees what it needed.
type Image struct {
	v1.Image
	// Digest is that of the manifest; of a docker-archive, of the manifest
	// that the archive stands for.
	Digest v1.Hash
	close  func() error
}

// Close ends the use of the image.
func (i *Image) Close() error { return i.close() }

// Open opens the image that ref names: "oci:DIR", "oci-archive:FILE",
// "docker-archive:FILE", each optionally with "@sha256:…" at the end, or a
// registry reference with a digest. A reference without one is an
// [*UnpinnedError]. Of an index the image for linux/amd64 is taken. Paths are
// what host makes of them. The context holds for all that is read through the
// image.
func Open(ctx context.Context, ref string, host func(string) string) (*Image, error) {
	img, err := open(ctx, ref, host)
	if err == nil {
		if err = img.check(); err == nil {
			return img, nil
		}
		err = errors.Join(err, img.Close())
	}
	return nil, fmt.Errorf("open image %q: %w", ref, err)
}

func open(ctx context.Context, ref string, host func(string) string) (*Image, error) {
	kind, rest, _ := strings.Cut(ref, ":")
	switch kind {
	case "oci", "oci-archive", "docker-archive":
	default:
		return openRemote(ctx, ref)
	}
	file, digest, pinned := strings.Cut(rest, "@")
	var want v1.Hash
	if pinned {
		var err error
		if want, err = v1.NewHash(digest); err != nil {
			return nil, err
		}
	}
	switch kind {
	case "oci":
		l, err := layout.Open(host(file))
		return openLayout(ctx, l, err, want)
	case "oci-archive":
		l, err := layout.OpenArchive(ctx, host(file))
		return openLayout(ctx, l, err, want)
	}
	return openDocker(host(file), want)
}

func openLayout(ctx context.Context, l *layout.Layout, err error, want v1.Hash) (*Image, error) {
	if err != nil {
		return nil, err
	}
	index, err := l.Index()
	if err != nil {
		return nil, errors.Join(err, l.Close())
	}
	f := finder{from: l}
	img, err := f.among(ctx, index.Manifests, want)
	return opened(img, err, l.Close)
}

func openRemote(ctx context.Context, ref string) (*Image, error) {
	repo, named, err := registry.Open(ref, registry.Options{})
	if err != nil {
		return nil, err
	}
	end := func() error { repo.Close(); return nil }
	digest, err := repo.Resolve(ctx, named)
	if _, pinned := named.(name.Digest); err == nil && !pinned {
		err = &UnpinnedError{Ref: ref, Pinned: named.Context().Digest(digest.String()).String()}
	}
	if err != nil {
		return nil, errors.Join(err, end())
	}
	f := finder{from: repo}
	img, err := f.among(ctx, []v1.Descriptor{{Digest: digest}}, digest)
	return opened(img, err, end)
}

// opened is an image as it was opened, and how it is closed.
func opened(img v1.Image, err error, end func() error) (*Image, error) {
	var digest v1.Hash
	if err == nil {
		digest, err = img.Digest()
	}
	if err != nil {
		return nil, errors.Join(err, end())
	}
	return &Image{img, digest, end}, nil
}
