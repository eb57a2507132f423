package attest_test

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/immure-dev/immure/attest"
	"github.com/immure-dev/immure/attest/bundle"
	"github.com/immure-dev/immure/attest/evidence"
	"github.com/immure-dev/immure/attest/internal/sample"
	"github.com/immure-dev/immure/attest/keys"
	"github.com/immure-dev/immure/internal/oci/content"
)

// fixture is a file that the real cosign wrote; see testdata/cosign/README.md.
func fixture(name string) string { return filepath.Join("testdata", "cosign", name) }

func cosignKey(t *testing.T) keys.PrivateKey {
	t.Helper()
	return must[keys.PrivateKey](t)(keys.LoadPrivate(fixture("cosign.key"), func() ([]byte, error) { return nil, nil }))
}

func TestCosignKeys(t *testing.T) {
	key, public := cosignKey(t), must[keys.PublicKey](t)(keys.LoadPublic(fixture("cosign.pub")))
	if !key.Public().Equal(public) || public.Kind() != keys.ECDSA {
		t.Error("cosign.key and cosign.pub hold two keys")
	}
	written := must[[]byte](t)(os.ReadFile(fixture("cosign.pub")))
	if !bytes.Equal(public.PEM(), written) {
		t.Errorf("got %s, cosign wrote %s", public.PEM(), written)
	}
	data := must[[]byte](t)(attest.Seal(sample.Predicate(1), treeDigest, key))
	if _, _, err := attest.NewOpener([]keys.PublicKey{public}).OpenSeal(data); err != nil {
		t.Errorf("a seal by cosign's key: %v", err)
	}
}

// Cosign's signature verifies, and then its statement is judged: signed by a
// trusted key and no boundary, it refuses.
func TestCosignBundles(t *testing.T) {
	key := cosignKey(t).Public()
	for _, name := range []string{"bundle.json", "bundle-v0.1.json"} {
		t.Run(name, func(t *testing.T) {
			data := must[[]byte](t)(os.ReadFile(fixture(name)))
			b := must[bundle.Bundle](t)(bundle.DecodeEvidence(data))
			if b.Hint != key.Hint() || len(b.Envelope.Verify([]keys.PublicKey{key})) != 1 {
				t.Errorf("hint %q, and its signature verifies: %v", b.Hint, b.Envelope.Verify([]keys.PublicKey{key}))
			}
			_, err := attest.NewOpener([]keys.PublicKey{key}).Open(data)
			var decode *attest.DecodeError
			if !errors.As(err, &decode) {
				t.Errorf("got error %v, want a DecodeError", err)
			}
			_, err = attest.NewOpener(trust(sample.Key(keys.ECDSA))).Open(data)
			var untrusted *attest.UntrustedError
			if !errors.As(err, &untrusted) {
				t.Errorf("got error %v, want an UntrustedError", err)
			}
		})
	}
}

// What we attach has the members and annotations that cosign's manifest has.
func TestCosignReferrer(t *testing.T) {
	raw := must[[]byte](t)(os.ReadFile(fixture("referrer.json")))
	theirs := must[*v1.Manifest](t)(content.ParseManifest(raw))
	ours := evidence.Bundle([]byte("{}"), attest.PredicateType, *theirs.Subject, time.Unix(0, 0))
	m := must[*v1.Manifest](t)(content.ParseManifest(must[[]byte](t)(ours.RawManifest())))
	if m.ArtifactType != theirs.ArtifactType || m.Config.MediaType != theirs.Config.MediaType || m.Config.Digest != theirs.Config.Digest ||
		m.Layers[0].MediaType != theirs.Layers[0].MediaType || m.Subject.Digest != theirs.Subject.Digest {
		t.Errorf("got %+v, cosign wrote %+v", m, theirs)
	}
	for name, value := range theirs.Annotations {
		if name != "org.opencontainers.image.created" && m.Annotations[name] != value {
			t.Errorf("annotation %s is %q, cosign wrote %q", name, m.Annotations[name], value)
		}
	}
	if len(m.Annotations) != len(theirs.Annotations) {
		t.Errorf("got %d annotations, cosign wrote %d", len(m.Annotations), len(theirs.Annotations))
	}
}
