package content

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/partial"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// Image reads the image of a digest. Its manifest is read and checked at once,
// its configuration when it is first asked for, layers when they are opened. An
// index is an [IndexError]. The context holds for all that is read through the
// image.
//
// What a layer unpacks to is not bounded here; whoever unpacks it does.
func Image(ctx context.Context, from Source, digest v1.Hash) (v1.Image, error) {
	raw, err := ReadManifest(ctx, from, digest, MaxManifestBytes)
	if err != nil {
		return nil, err
	}
	m, err := ParseManifest(raw)
	if err != nil {
		return nil, fmt.Errorf("image %s: %w", digest, err)
	}
	config := sync.OnceValues(func() ([]byte, error) {
		data, err := ReadBlob(ctx, from, m.Config, MaxConfigBytes)
		if err != nil {
			return nil, fmt.Errorf("image %s: configuration: %w", digest, err)
		}
		return data, nil
	})
	return partial.CompressedToImage(&image{ctx, from, m, raw, config})
}

type image struct {
	ctx      context.Context
	from     Source
	manifest *v1.Manifest
	raw      []byte
	config   func() ([]byte, error)
}

func (i *image) RawManifest() ([]byte, error)        { return i.raw, nil }
func (i *image) RawConfigFile() ([]byte, error)      { return i.config() }
func (i *image) MediaType() (types.MediaType, error) { return mediaType(i.manifest), nil }

func (i *image) LayerByDigest(h v1.Hash) (partial.CompressedLayer, error) {
	for _, d := range append([]v1.Descriptor{i.manifest.Config}, i.manifest.Layers...) {
		if d.Digest == h {
			return layer{i, d}, nil
		}
	}
	return nil, fmt.Errorf("image has no layer %s", h)
}

type layer struct {
	image *image
	desc  v1.Descriptor
}

func (l layer) Digest() (v1.Hash, error)            { return l.desc.Digest, nil }
func (l layer) Size() (int64, error)                { return l.desc.Size, nil }
func (l layer) MediaType() (types.MediaType, error) { return l.desc.MediaType, nil }

func (l layer) Compressed() (io.ReadCloser, error) {
	if !l.desc.MediaType.IsDistributable() && len(l.desc.URLs) > 0 {
		return nil, errors.New("layer lies at another place, which is not asked")
	}
	return OpenBlob(l.image.ctx, l.image.from, l.desc)
}
