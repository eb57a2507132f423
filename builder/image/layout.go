package image

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/partial"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// Bounds of documents and archives.
const (
	maxDocument = 4 << 20
	maxManifest = 128      // entries of an index
	maxArchive  = 32 << 30 // bytes that an archive may unpack to
	maxBlobs    = 4096
)

// openLayout opens the one image of an OCI layout, or the one wanted. A
// manifest that is about another (with a subject) is none.
func openLayout(dir string, want v1.Hash) (*Image, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, err
	}
	img, err := layoutReader{root}.image(want)
	if err != nil {
		return nil, errors.Join(err, root.Close())
	}
	return img, nil
}

func (l layoutReader) image(want v1.Hash) (*Image, error) {
	data, err := l.read("index.json")
	if err != nil {
		return nil, err
	}
	digest, err := l.pick(data, want, 0)
	if err != nil {
		return nil, err
	}
	raw, err := l.blob(digest)
	if err != nil {
		return nil, err
	}
	m, err := v1.ParseManifest(bytes.NewReader(raw))
	if err != nil {
		return nil, fmt.Errorf("decode manifest %s: %w", digest, err)
	}
	img, err := partial.CompressedToImage(layoutImage{l, raw, m})
	return &Image{Image: img, Digest: digest, closer: l.root}, err
}

// pick chooses from the index in data.
func (l layoutReader) pick(data []byte, want v1.Hash, depth int) (v1.Hash, error) {
	var index v1.IndexManifest
	if err := json.Unmarshal(data, &index); err != nil {
		return v1.Hash{}, fmt.Errorf("decode index: %w", err)
	}
	if len(index.Manifests) > maxManifest || depth > 2 {
		return v1.Hash{}, errors.New("index has too many entries or levels")
	}
	var found []v1.Hash
	for _, d := range index.Manifests {
		if want != (v1.Hash{}) && d.Digest != want && !d.MediaType.IsIndex() {
			continue
		}
		if depth > 0 && d.Platform != nil && !d.Platform.Satisfies(platform) {
			continue
		}
		h, err := l.entry(d, want, depth)
		if err != nil {
			return h, err
		}
		if h != (v1.Hash{}) {
			found = append(found, h)
		}
	}
	switch len(found) {
	case 0:
		return v1.Hash{}, fmt.Errorf("holds no image for %s", platform)
	case 1:
		return found[0], nil
	}
	return v1.Hash{}, fmt.Errorf("holds %d images: add @sha256:… to say which", len(found))
}

// entry gives the image that one entry of an index leads to, or nothing.
func (l layoutReader) entry(d v1.Descriptor, want v1.Hash, depth int) (v1.Hash, error) {
	data, err := l.blob(d.Digest)
	if err != nil {
		return v1.Hash{}, err
	}
	if d.MediaType.IsIndex() {
		if want == d.Digest {
			want = v1.Hash{}
		}
		return l.pick(data, want, depth+1)
	}
	var m struct {
		MediaType    types.MediaType `json:"mediaType"`
		ArtifactType string          `json:"artifactType"`
		Subject      *v1.Descriptor  `json:"subject"`
		Config       v1.Descriptor   `json:"config"`
		Manifests    json.RawMessage `json:"manifests"`
	}
	if err := json.Unmarshal(data, &m); err != nil {
		return v1.Hash{}, fmt.Errorf("decode manifest %s: %w", d.Digest, err)
	}
	if m.Manifests != nil {
		return v1.Hash{}, fmt.Errorf("%s is a manifest and an index at once", d.Digest)
	}
	if m.Subject != nil || m.ArtifactType != "" || !m.Config.MediaType.IsConfig() {
		return v1.Hash{}, nil
	}
	return d.Digest, nil
}
