package evidence

import (
	"context"
	"fmt"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/immure-dev/immure/attest/bundle"
	"github.com/immure-dev/immure/internal/oci/content"
)

// MaxConsidered is how many bundles of one predicate type may stand beside an
// image. One statement for each epoch needs few.
const MaxConsidered = 64

// maxManifestBytes bounds the manifest of a bundle, which takes a kilobyte.
const maxManifestBytes = 1 << 20

// A Listing is what was found beside an image.
type Listing struct {
	// Bundles may have been written by anyone.
	Bundles [][]byte
	// Ignored says of what was passed over why, for people.
	Ignored []string
}

// List returns the bundles about subject that say they hold a statement of the
// predicate type, or that do not say what they hold.
//
// What is no such bundle by its own manifest is ignored: it cannot count,
// whoever wrote it. An answer that is not what its digest says, an answer that
// is missing, and more than [MaxConsidered] bundles are errors: the one that
// counts could be among those that were not seen.
func List(ctx context.Context, from content.Source, subject v1.Hash, predicateType string) (Listing, error) {
	l := Listing{}
	all, err := from.Referrers(ctx, subject)
	if err != nil {
		return l, fmt.Errorf("list what is attached to %s: %w", subject, err)
	}
	if len(all) > content.MaxDescriptors {
		return l, fmt.Errorf("list what is attached to %s: more than %d", subject, content.MaxDescriptors)
	}
	seen := make(map[v1.Hash]bool)
	for _, d := range all {
		if !mayHold(d, predicateType) || seen[d.Digest] {
			continue
		}
		if seen[d.Digest] = true; len(seen) > MaxConsidered {
			return l, fmt.Errorf("list what is attached to %s: more than %d statements: remove those that no longer count", subject, MaxConsidered)
		}
		data, why, err := read(ctx, from, d, subject, predicateType)
		switch {
		case err != nil:
			return l, fmt.Errorf("list what is attached to %s: %w", subject, err)
		case why != "":
			l.Ignored = append(l.Ignored, fmt.Sprintf("%s: %s", d.Digest, why))
		default:
			l.Bundles = append(l.Bundles, data)
		}
	}
	return l, nil
}

// mayHold reports whether a descriptor leaves it open that it is a bundle of
// the predicate type. Some registries list the configuration's media type in
// place of the artifact type, and some no annotations.
func mayHold(d v1.Descriptor, predicateType string) bool {
	switch d.ArtifactType {
	case "", content.EmptyConfig, bundle.MediaType:
	default:
		return false
	}
	says := d.Annotations[PredicateTypeAnnotation]
	return d.MediaType == types.OCIManifestSchema1 && (says == "" || says == predicateType)
}

// read returns the bundle of a referrer, or why it is none.
func read(ctx context.Context, from content.Source, d v1.Descriptor, subject v1.Hash, predicateType string) (data []byte, why string, err error) {
	if err := content.CheckDigest(d.Digest); err != nil {
		return nil, err.Error(), nil
	}
	if d.Size > maxManifestBytes {
		return nil, fmt.Sprintf("manifest of %d bytes", d.Size), nil
	}
	raw, err := content.ReadManifest(ctx, from, d.Digest, maxManifestBytes)
	if err != nil {
		return nil, "", err
	}
	m, err := content.ParseManifest(raw)
	if err != nil {
		return nil, err.Error(), nil
	}
	says := m.Annotations[PredicateTypeAnnotation]
	switch {
	case m.Subject == nil || m.Subject.Digest != subject:
		return nil, "its subject is another", nil
	case m.ArtifactType != bundle.MediaType:
		return nil, fmt.Sprintf("artifact type %.80q", m.ArtifactType), nil
	case says != "" && says != predicateType:
		return nil, fmt.Sprintf("predicate type %.80q", says), nil
	case len(m.Layers) != 1 || string(m.Layers[0].MediaType) != bundle.MediaType:
		return nil, "not one layer that is a bundle", nil
	case m.Layers[0].Size > bundle.MaxEvidenceBytes:
		return nil, fmt.Sprintf("bundle of %d bytes", m.Layers[0].Size), nil
	}
	data, err = content.ReadBlob(ctx, from, m.Layers[0], bundle.MaxEvidenceBytes)
	return data, "", err
}
