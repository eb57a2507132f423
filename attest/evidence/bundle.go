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
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/immure-dev/immure/attest/bundle"
	"github.com/immure-dev/immure/internal/oci/content"
)

// The annotations of a bundle's manifest.
const (
	PredicateTypeAnnotation = "dev.sigstore.bundle.predicateType"
	contentAnnotation       = "dev.sigstore.bundle.content"
	createdAnnotation       = "org.opencontainers.image.created"
)

// Bundle is the artifact of a Sigstore bundle about subject. The same
// arguments give the same bytes.
func Bundle(data []byte, predicateType string, subject v1.Descriptor, created time.Time) content.Artifact {
	return content.Artifact{
		Type:   bundle.MediaType,
		Layers: []content.Blob{{MediaType: bundle.MediaType, Data: data}},
		Annotations: map[string]string{
			createdAnnotation:       created.UTC().Format(time.RFC3339),
			contentAnnotation:       "dsse-envelope",
			PredicateTypeAnnotation: predicateType,
		},
		Subject: &v1.Descriptor{MediaType: subject.MediaType, Digest: subject.Digest, Size: subject.Size},
	}
}
