//go:build e2e

package hostile_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/immure-dev/immure/attest"
	"github.com/immure-dev/immure/attest/bundle"
	"github.com/immure-dev/immure/attest/evidence"
	"github.com/immure-dev/immure/attest/keys"
	"github.com/immure-dev/immure/harden/canon"
	"github.com/immure-dev/immure/internal/oci/content"
	"github.com/immure-dev/immure/internal/oci/layout"
	"github.com/immure-dev/immure/internal/oci/registry"
	"github.com/immure-dev/immure/internal/testregistry"
)

const inToto = "application/vnd.in-toto+json"

type object = map[string]any

// canonical encodes as signed documents are encoded.
func canonical(tb testing.TB, v any) []byte {
	tb.Helper()
	data, err := canon.Encode(v)
	must(tb, err)
	return data
}

// envelope is a bundle around any payload of any type, with a true signature:
// what a deceived signer makes.
func envelope(tb testing.TB, payload []byte, payloadType string, key keys.PrivateKey) object {
	tb.Helper()
	sig, err := key.Sign(fmt.Appendf(nil, "DSSEv1 %d %s %d %s", len(payloadType), payloadType, len(payload), payload))
	must(tb, err)
	return object{
		"mediaType":            bundle.MediaType,
		"verificationMaterial": object{"publicKey": object{"hint": key.Public().Hint()}},
		"dsseEnvelope": object{
			"payload": payload, "payloadType": payloadType, "signatures": []any{object{"sig": sig}},
		},
	}
}

// signed is an in-toto payload in a bundle's bytes.
func signed(tb testing.TB, payload []byte, key keys.PrivateKey) []byte {
	tb.Helper()
	return canonical(tb, envelope(tb, payload, inToto, key))
}

// statement is the fixture's true statement as a document, to be changed.
func (f *fixture) statement(tb testing.TB, img v1.Image) object {
	tb.Helper()
	raw, err := img.RawManifest()
	must(tb, err)
	data, err := attest.Sign(f.predicate, attest.Manifest(raw), f.key)
	must(tb, err)
	return payloadOf(tb, data)
}

// payloadOf opens a bundle without looking at its signature.
func payloadOf(tb testing.TB, data []byte) object {
	tb.Helper()
	var b struct {
		DSSEEnvelope struct{ Payload string }
	}
	must(tb, json.Unmarshal(data, &b))
	payload, err := base64.StdEncoding.DecodeString(b.DSSEEnvelope.Payload)
	must(tb, err)
	dec := json.NewDecoder(bytes.NewReader(payload))
	dec.UseNumber()
	var s object
	must(tb, dec.Decode(&s))
	return s
}

// beside is the artifact of a bundle about an image.
func beside(tb testing.TB, img v1.Image, bundle []byte) content.Artifact {
	tb.Helper()
	raw, err := img.RawManifest()
	must(tb, err)
	h, n, err := v1.SHA256(bytes.NewReader(raw))
	must(tb, err)
	return evidence.Bundle(bundle, attest.PredicateType, v1.Descriptor{MediaType: types.OCIManifestSchema1, Digest: h, Size: n}, time.Unix(0, 0))
}

// offer hands an image and what stands beside it over in each medium, and calls
// try with its reference.
func offer(t *testing.T, img v1.Image, beside []content.Artifact, try func(t *testing.T, ref string)) {
	t.Helper()
	t.Run("layout", func(t *testing.T) { try(t, inLayout(t, img, beside...)) })
	t.Run("registry", func(t *testing.T) { try(t, inRegistry(t, img, beside...)) })
}

func inLayout(tb testing.TB, img v1.Image, beside ...content.Artifact) string {
	tb.Helper()
	dir := filepath.Join(tb.TempDir(), "image")
	must(tb, layout.Write(tb.Context(), dir, img, "latest", beside...))
	return "oci:" + dir
}

func inRegistry(tb testing.TB, img v1.Image, beside ...content.Artifact) string {
	tb.Helper()
	return push(tb, testregistry.Start(tb)+"/hostile:latest", img, beside...)
}

// push returns the reference that it pushed to.
func push(tb testing.TB, ref string, img v1.Image, beside ...content.Artifact) string {
	tb.Helper()
	repo, tag, err := registry.Open(ref, registry.Options{})
	must(tb, err)
	defer repo.Close()
	must(tb, repo.Push(tb.Context(), img, tag.(name.Tag).TagStr(), beside...))
	return ref
}
