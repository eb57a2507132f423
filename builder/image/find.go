package image

import (
	"context"
	"errors"
	"fmt"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/immure-dev/immure/internal/oci/content"
)

// Bounds of the way from a reference to its image.
const (
	maxConsidered = 128 // manifests and indexes that are opened
	maxLevels     = 2   // of indexes within indexes
)

// A finder follows indexes to an image.
type finder struct {
	from   content.Source
	opened int
}

// among returns the one image that the entries lead to, or the one wanted.
func (f *finder) among(ctx context.Context, entries []v1.Descriptor, want v1.Hash) (v1.Image, error) {
	found := make(map[v1.Hash]v1.Image)
	for _, d := range entries {
		img, err := f.entry(ctx, d, want, 0)
		if err != nil {
			return nil, err
		}
		if img != nil {
			found[d.Digest] = img
		}
	}
	if len(found) > 1 {
		return nil, fmt.Errorf("holds %d images: add @sha256:… to say which", len(found))
	}
	for _, img := range found {
		return img, nil
	}
	return nil, fmt.Errorf("holds no image for %s", platform)
}

// entry returns the image that an entry leads to, or nil.
func (f *finder) entry(ctx context.Context, d v1.Descriptor, want v1.Hash, level int) (v1.Image, error) {
	free := want == v1.Hash{}
	switch {
	case d.Digest == want, d.MediaType.IsIndex() && !free:
	case !free, !d.MediaType.IsIndex() && !d.MediaType.IsImage():
		return nil, nil
	case level > 0 && d.Platform != nil && !d.Platform.Satisfies(platform):
		return nil, nil
	}
	return f.open(ctx, d.Digest, want, level)
}

func (f *finder) open(ctx context.Context, digest, want v1.Hash, level int) (v1.Image, error) {
	if f.opened++; f.opened > maxConsidered || level > maxLevels {
		return nil, errors.New("index has too many entries or levels")
	}
	named := digest == want
	if named {
		want = v1.Hash{}
	}
	img, err := content.Image(ctx, f.from, digest)
	var index *content.IndexError
	if errors.As(err, &index) {
		return f.first(ctx, index.Manifests, want, level+1)
	}
	if err != nil || named {
		return img, err // what is named is taken for what it is
	}
	m, err := img.Manifest()
	if err != nil || want != (v1.Hash{}) || !content.IsImage(m) {
		return nil, err
	}
	return img, nil
}

// first takes the first image of an index that fits, as readers should (OCI
// image-spec 1.1, image-index.md).
func (f *finder) first(ctx context.Context, entries []v1.Descriptor, want v1.Hash, level int) (v1.Image, error) {
	for _, d := range entries {
		if img, err := f.entry(ctx, d, want, level); img != nil || err != nil {
			return img, err
		}
	}
	return nil, nil
}
