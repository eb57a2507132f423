package image

import (
	"fmt"
	"io"
	"os"
	"path"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/partial"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// A layoutReader reads the files of a layout. No link leads it out.
type layoutReader struct{ root *os.Root }

// read returns a whole document of bounded size.
func (l layoutReader) read(name string) ([]byte, error) {
	f, err := l.root.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxDocument+1))
	if err == nil && len(data) > maxDocument {
		err = fmt.Errorf("%s is larger than %d bytes", name, maxDocument)
	}
	return data, err
}

// where is the path of a blob.
func where(h v1.Hash) (string, error) {
	if h.Algorithm != "sha256" {
		return "", fmt.Errorf("digest %s is not a SHA-256", h)
	}
	return path.Join("blobs", h.Algorithm, h.Hex), nil
}

// blob returns the document with the digest, once it has it.
func (l layoutReader) blob(h v1.Hash) ([]byte, error) {
	name, err := where(h)
	if err != nil {
		return nil, err
	}
	data, err := l.read(name)
	if err != nil {
		return nil, err
	}
	return data, verify(data, h)
}

// A layoutImage implements [partial.CompressedImageCore].
type layoutImage struct {
	l        layoutReader
	raw      []byte
	manifest *v1.Manifest
}

func (i layoutImage) RawManifest() ([]byte, error)        { return i.raw, nil }
func (i layoutImage) RawConfigFile() ([]byte, error)      { return i.l.blob(i.manifest.Config.Digest) }
func (i layoutImage) MediaType() (types.MediaType, error) { return i.manifest.MediaType, nil }

func (i layoutImage) LayerByDigest(h v1.Hash) (partial.CompressedLayer, error) {
	for _, d := range i.manifest.Layers {
		if d.Digest == h {
			return layoutLayer{i.l, d}, nil
		}
	}
	return nil, fmt.Errorf("manifest has no layer %s", h)
}

// A layoutLayer implements [partial.CompressedLayer].
type layoutLayer struct {
	l layoutReader
	d v1.Descriptor
}

func (b layoutLayer) Digest() (v1.Hash, error)            { return b.d.Digest, nil }
func (b layoutLayer) Size() (int64, error)                { return b.d.Size, nil }
func (b layoutLayer) MediaType() (types.MediaType, error) { return b.d.MediaType, nil }

// Compressed is not verified: what it unpacks to is, against the
// configuration.
func (b layoutLayer) Compressed() (io.ReadCloser, error) {
	name, err := where(b.d.Digest)
	if err != nil {
		return nil, err
	}
	return b.l.root.Open(name)
}
