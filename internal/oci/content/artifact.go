package content

import (
	"bytes"
	"encoding/json"
	"fmt"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// EmptyConfig is the media type of a configuration that says nothing (OCI
// image-spec 1.1, manifest.md, "Guidance for an Empty Descriptor").
const EmptyConfig = "application/vnd.oci.empty.v1+json"

// A Blob is bytes with their media type.
type Blob struct {
	MediaType string
	Data      []byte
}

// Descriptor is of the blob.
func (b Blob) Descriptor() v1.Descriptor {
	h, n, _ := v1.SHA256(bytes.NewReader(b.Data)) // reading memory does not fail
	return v1.Descriptor{MediaType: types.MediaType(b.MediaType), Digest: h, Size: n}
}

// An Artifact is a manifest with small blobs that stands beside an image.
type Artifact struct {
	Type        string // artifactType
	Config      Blob   // the empty configuration when it has no media type
	Layers      []Blob
	Annotations map[string]string
	Subject     *v1.Descriptor // nil for an artifact about nothing
}

// Blobs are the configuration and the layers.
func (a Artifact) Blobs() []Blob {
	config := a.Config
	if config.MediaType == "" {
		config = Blob{MediaType: EmptyConfig, Data: []byte("{}")}
	}
	return append([]Blob{config}, a.Layers...)
}

// RawManifest returns the manifest's bytes.
func (a Artifact) RawManifest() ([]byte, error) {
	m := v1.Manifest{
		SchemaVersion: 2, MediaType: types.OCIManifestSchema1, ArtifactType: a.Type,
		Layers: []v1.Descriptor{}, Annotations: a.Annotations, Subject: a.Subject,
	}
	for i, b := range a.Blobs() {
		if i == 0 {
			m.Config = b.Descriptor()
		} else {
			m.Layers = append(m.Layers, b.Descriptor())
		}
	}
	data, err := json.Marshal(m)
	if err != nil {
		return nil, fmt.Errorf("encode artifact: %w", err)
	}
	return data, nil
}

// MediaType is of the manifest.
func (a Artifact) MediaType() (types.MediaType, error) { return types.OCIManifestSchema1, nil }

// Descriptor is of the manifest, as an index lists it.
func (a Artifact) Descriptor() (v1.Descriptor, error) {
	data, err := a.RawManifest()
	if err != nil {
		return v1.Descriptor{}, err
	}
	d := Blob{MediaType: string(types.OCIManifestSchema1), Data: data}.Descriptor()
	d.ArtifactType, d.Annotations = a.Type, a.Annotations
	return d, nil
}
