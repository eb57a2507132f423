// Package evidence keeps signed statements beside an image: as OCI artifacts
// whose subject is the image's manifest, in the form that cosign writes and
// reads.
//
// The package knows the form and not the medium. Listing believes nobody: it
// bounds how many referrers are looked at and how much of each is read, and it
// returns bundles that anyone may have written. Which of them count is decided
// by attest.Verify.
//
// Source: OCI image-spec 1.1, manifest.md; OCI distribution-spec 1.1, "Listing
// Referrers"; sigstore/cosign, specs/BUNDLE_SPEC.md.
package evidence

import (
	"bytes"
	"encoding/json"
	"fmt"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/immure-dev/immure/attest/bundle"
)

// The annotations of a bundle's manifest, and the media type of a configuration
// that says nothing (OCI image-spec 1.1, "Guidance for an Empty Descriptor").
const (
	PredicateTypeAnnotation = "dev.sigstore.bundle.predicateType"
	contentAnnotation       = "dev.sigstore.bundle.content"
	createdAnnotation       = "org.opencontainers.image.created"
	emptyConfig             = "application/vnd.oci.empty.v1+json"
)

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

// Bundle is the artifact of a Sigstore bundle about subject. The same
// arguments give the same bytes.
func Bundle(data []byte, predicateType string, subject v1.Descriptor, created time.Time) Artifact {
	return Artifact{
		Type:   bundle.MediaType,
		Layers: []Blob{{MediaType: bundle.MediaType, Data: data}},
		Annotations: map[string]string{
			createdAnnotation:       created.UTC().Format(time.RFC3339),
			contentAnnotation:       "dsse-envelope",
			PredicateTypeAnnotation: predicateType,
		},
		Subject: &v1.Descriptor{MediaType: subject.MediaType, Digest: subject.Digest, Size: subject.Size},
	}
}

// Blobs are the configuration and the layers.
func (a Artifact) Blobs() []Blob {
	config := a.Config
	if config.MediaType == "" {
		config = Blob{MediaType: emptyConfig, Data: []byte("{}")}
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
