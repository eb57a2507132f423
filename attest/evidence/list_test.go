package evidence_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/authn"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/immure-dev/immure/attest"
	"github.com/immure-dev/immure/attest/bundle"
	"github.com/immure-dev/immure/attest/evidence"
	"github.com/immure-dev/immure/attest/internal/sample"
	"github.com/immure-dev/immure/attest/keys"
	"github.com/immure-dev/immure/internal/badregistry"
	"github.com/immure-dev/immure/internal/oci/content"
	"github.com/immure-dev/immure/internal/oci/layout"
	"github.com/immure-dev/immure/internal/oci/registry"
)

// A bed is an image with a signed statement, in a layout and in a registry that
// can lie.
type bed struct {
	*testing.T
	key       keys.PrivateKey
	raw       []byte
	subject   v1.Descriptor
	statement content.Artifact
	dir       string
	layout    *layout.Layout
	lies      *badregistry.Registry
	repo      *registry.Repository
}

func newBed(t *testing.T) *bed {
	t.Helper()
	b := &bed{T: t, key: sample.Key(keys.Ed25519), dir: filepath.Join(t.TempDir(), "image")}
	img, err := random.Image(1000, 2)
	b.must(err)
	b.raw, err = img.RawManifest()
	b.must(err)
	b.subject = content.Blob{MediaType: string(types.DockerManifestSchema2), Data: b.raw}.Descriptor()
	b.statement = b.sign(1)
	b.must(layout.Write(t.Context(), b.dir, img, "", b.statement))
	b.layout, err = layout.Open(b.dir)
	b.must(err)
	t.Cleanup(func() { b.must(b.layout.Close()) })
	lies, addr := badregistry.Start(t)
	b.lies = lies
	b.repo, _, err = registry.Open(addr+"/service", registry.Options{Keychain: authn.NewMultiKeychain()})
	b.must(err)
	t.Cleanup(b.repo.Close)
	b.must(b.repo.Push(t.Context(), img, "latest", b.statement))
	return b
}

func (b *bed) must(err error) {
	b.Helper()
	if err != nil {
		b.Fatal(err)
	}
}

func (b *bed) sign(epoch int64) content.Artifact {
	b.Helper()
	data, err := attest.Sign(sample.Predicate(epoch), attest.Manifest(b.raw), b.key)
	b.must(err)
	return evidence.Bundle(data, attest.PredicateType, b.subject, time.Unix(0, 0))
}

// attach puts an artifact beside the image in both media.
func (b *bed) attach(a content.Artifact) {
	b.Helper()
	b.must(b.layout.Attach(b.Context(), a))
	b.must(b.repo.Attach(b.Context(), a))
}

func (b *bed) media() map[string]content.Source {
	return map[string]content.Source{"layout": b.layout, "registry": b.repo}
}

// verify does what a door does with what stands beside an image.
func (b *bed) verify(from content.Source) (epoch int64, err error) {
	l, err := evidence.List(b.Context(), from, b.subject.Digest, attest.PredicateType)
	if err != nil {
		return 0, err
	}
	s, err := attest.NewOpener([]keys.PublicKey{b.key.Public()}).Verify(l.Bundles, attest.Manifest(b.raw))
	return s.Predicate.Epoch, err
}

func TestListed(t *testing.T) {
	b := newBed(t)
	for _, epoch := range []int64{1, 3, 2} {
		b.attach(b.sign(epoch))
	}
	for medium, from := range b.media() {
		if epoch, err := b.verify(from); err != nil || epoch != 3 {
			t.Errorf("%s: got epoch %d, %v, want 3", medium, epoch, err)
		}
	}
}

// What strangers attach is passed over, and never read beyond its bounds.
func TestStrangersArtifacts(t *testing.T) {
	b := newBed(t)
	huge := b.statement
	huge.Layers = []content.Blob{{MediaType: bundle.MediaType, Data: bytes.Repeat([]byte("x"), bundle.MaxEvidenceBytes+1)}}
	typed := b.statement
	typed.Layers = []content.Blob{{MediaType: "application/octet-stream", Data: []byte("x")}}
	double := b.statement
	double.Layers = append(double.Layers[:1:1], typed.Layers...)
	sbom := b.statement
	sbom.Annotations = map[string]string{evidence.PredicateTypeAnnotation: "https://spdx.dev/Document"}
	garbage := b.statement
	garbage.Layers = []content.Blob{{MediaType: bundle.MediaType, Data: []byte("{")}}
	for _, a := range []content.Artifact{huge, typed, double, sbom, garbage} {
		b.attach(a)
	}
	for medium, from := range b.media() {
		l, err := evidence.List(t.Context(), from, b.subject.Digest, attest.PredicateType)
		b.must(err)
		if len(l.Bundles) != 2 || len(l.Ignored) != 3 {
			t.Errorf("%s: got %d bundles, ignored %q, want the good one, the garbage and three ignored", medium, len(l.Bundles), l.Ignored)
		}
		if epoch, err := b.verify(from); err != nil || epoch != 1 {
			t.Errorf("%s: got epoch %d, %v", medium, epoch, err)
		}
	}
	for _, r := range b.lies.Requests("/blobs/" + huge.Layers[0].Descriptor().Digest.String()) {
		if r.Method == http.MethodGet {
			t.Error("a bundle that is too large was asked for")
		}
	}
}

// index rewrites the layout's index.json.
func (b *bed) index(change func(m *v1.IndexManifest)) {
	b.Helper()
	path := filepath.Join(b.dir, "index.json")
	data, err := os.ReadFile(path)
	b.must(err)
	var m v1.IndexManifest
	b.must(json.Unmarshal(data, &m))
	change(&m)
	data, err = json.Marshal(m)
	b.must(err)
	b.must(os.WriteFile(path, data, 0o644))
}

func TestListRefuses(t *testing.T) {
	statement := func(b *bed) string { return b.statement.Layers[0].Descriptor().Digest.Hex }
	for _, tc := range []struct {
		name string
		in   string
		harm func(b *bed)
		want string
	}{
		{"nothing is attached", "layout", func(b *bed) {
			b.index(func(m *v1.IndexManifest) { m.Manifests = m.Manifests[:1] })
		}, "none was found"},
		{"nothing is attached", "registry", func(b *bed) {
			b.lies.Lie("/referrers/", badregistry.Bytes(string(types.OCIImageIndex), []byte(`{"schemaVersion":2,"manifests":[]}`)))
		}, "none was found"},
		{"the statement changed", "layout", func(b *bed) {
			path := filepath.Join(b.dir, "blobs/sha256", statement(b))
			data, err := os.ReadFile(path)
			b.must(err)
			data[len(data)/2] ^= 1
			b.must(os.WriteFile(path, data, 0o644))
		}, "other bytes"},
		{"the statement changed", "registry", func(b *bed) {
			data := bytes.Clone(b.statement.Layers[0].Data)
			data[len(data)/2] ^= 1
			b.lies.Lie("/blobs/sha256:"+statement(b), badregistry.Bytes("", data))
		}, "other bytes"},
		{"a size of petabytes", "layout", func(b *bed) {
			huge := b.statement
			huge.Annotations = nil
			raw, err := huge.RawManifest()
			b.must(err)
			part := []byte(`"layers":[{"mediaType":"` + bundle.MediaType + `","size":`)
			raw = bytes.Replace(raw, part, append(part, "99999999999"...), 1)
			d := content.Blob{MediaType: string(types.OCIManifestSchema1), Data: raw}.Descriptor()
			b.must(os.WriteFile(filepath.Join(b.dir, "blobs/sha256", d.Digest.Hex), raw, 0o644))
			b.index(func(m *v1.IndexManifest) { m.Manifests[1] = d })
		}, "none was found"},
		{"65 that may be statements", "registry", func(b *bed) {
			for i := range evidence.MaxConsidered {
				a := b.statement
				a.Layers = []content.Blob{{MediaType: bundle.MediaType, Data: fmt.Append(nil, i)}}
				b.must(b.repo.Attach(b.Context(), a))
			}
		}, "more than 64 statements"},
	} {
		t.Run(tc.name+" in a "+tc.in, func(t *testing.T) {
			b := newBed(t)
			tc.harm(b)
			if epoch, err := b.verify(b.media()[tc.in]); err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("epoch %d, %v, want %q", epoch, err, tc.want)
			}
		})
	}
}
