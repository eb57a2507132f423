package registry_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/immure-dev/immure/attest"
	"github.com/immure-dev/immure/attest/bundle"
	"github.com/immure-dev/immure/attest/content"
	"github.com/immure-dev/immure/attest/evidence"
	"github.com/immure-dev/immure/attest/internal/sample"
	"github.com/immure-dev/immure/attest/keys"
	"github.com/immure-dev/immure/attest/registry"
	"github.com/immure-dev/immure/internal/badregistry"
)

// A bed is an image with a signed statement in a registry that can lie.
type bed struct {
	*testing.T
	lies      *badregistry.Registry
	addr      string
	repo      *registry.Repository
	key       keys.PrivateKey
	image     v1.Image
	subject   v1.Descriptor
	statement evidence.Artifact
}

func newBed(t *testing.T) *bed {
	t.Helper()
	b := &bed{T: t, key: sample.Key(keys.Ed25519)}
	b.lies, b.addr = badregistry.Start(t)
	b.repo = b.open(b.addr + "/service")
	img, err := random.Image(1000, 2)
	b.must(err)
	b.image = img
	raw, err := img.RawManifest()
	b.must(err)
	h, err := img.Digest()
	b.must(err)
	b.subject = v1.Descriptor{MediaType: types.DockerManifestSchema2, Digest: h, Size: int64(len(raw))}
	b.statement = b.sign(1)
	b.must(b.repo.Push(t.Context(), img, "latest", b.statement))
	return b
}

func (b *bed) must(err error) {
	b.Helper()
	if err != nil {
		b.Fatal(err)
	}
}

// open opens a repository without credentials of the machine's user.
func (b *bed) open(reference string) *registry.Repository {
	b.Helper()
	r, _, err := registry.Open(reference, registry.Options{Keychain: authn.NewMultiKeychain()})
	b.must(err)
	b.Cleanup(r.Close)
	return r
}

func (b *bed) sign(epoch int64) evidence.Artifact {
	b.Helper()
	raw, err := b.image.RawManifest()
	b.must(err)
	data, err := attest.Sign(sample.Predicate(epoch), attest.Manifest(raw), b.key)
	b.must(err)
	return evidence.Bundle(data, attest.PredicateType, b.subject, time.Unix(0, 0))
}

// verify does what a door does with what stands beside an image.
func (b *bed) verify(ctx context.Context, repo *registry.Repository) (attest.Statement, error) {
	l, err := evidence.List(ctx, repo, b.subject.Digest, attest.PredicateType)
	if err != nil {
		return attest.Statement{}, err
	}
	raw, err := content.ReadManifest(ctx, repo, b.subject.Digest, content.MaxManifestBytes)
	if err != nil {
		return attest.Statement{}, err
	}
	return attest.NewOpener([]keys.PublicKey{b.key.Public()}).Verify(l.Bundles, attest.Manifest(raw))
}

func (b *bed) digest(a evidence.Artifact) string {
	b.Helper()
	d, err := a.Descriptor()
	b.must(err)
	return d.Digest.String()
}

func (b *bed) listing(list ...v1.Descriptor) []byte {
	b.Helper()
	data, err := json.Marshal(v1.IndexManifest{SchemaVersion: 2, MediaType: types.OCIImageIndex, Manifests: append([]v1.Descriptor{}, list...)})
	b.must(err)
	return data
}

func TestPushAndVerify(t *testing.T) {
	b := newBed(t)
	for range 2 { // the second time all is there already
		b.must(b.repo.Push(t.Context(), b.image, "latest", b.statement, b.sign(2)))
	}
	s, err := b.verify(t.Context(), b.repo)
	b.must(err)
	if s.Predicate.Epoch != 2 {
		t.Errorf("got epoch %d, want 2", s.Predicate.Epoch)
	}
	ref, err := name.ParseReference(b.addr + "/service:latest")
	b.must(err)
	h, err := b.repo.Resolve(t.Context(), ref)
	b.must(err)
	img, err := content.Image(t.Context(), b.repo, h)
	b.must(err)
	got, err := img.Digest()
	b.must(err)
	if h != b.subject.Digest || got != h {
		t.Errorf("resolved %s, opened %s, want %s", h, got, b.subject.Digest)
	}
}

// A registry without the referrers API is served by the referrers tag.
func TestReferrersTag(t *testing.T) {
	for _, code := range []int{http.StatusNotFound, http.StatusBadRequest} {
		b := &bed{T: t, key: sample.Key(keys.Ed25519)}
		b.lies, b.addr = badregistry.Start(t)
		b.lies.Lie("/referrers/", badregistry.Status(code))
		b.repo = b.open(b.addr + "/service")
		img, err := random.Image(1000, 1)
		b.must(err)
		b.image = img
		raw, err := img.RawManifest()
		b.must(err)
		h, err := img.Digest()
		b.must(err)
		b.subject = v1.Descriptor{MediaType: types.DockerManifestSchema2, Digest: h, Size: int64(len(raw))}
		b.must(b.repo.Push(t.Context(), img, "", b.sign(1)))
		b.must(b.repo.Attach(t.Context(), b.sign(2)))
		s, err := b.verify(t.Context(), b.repo)
		b.must(err)
		if s.Predicate.Epoch != 2 {
			t.Errorf("status %d: got epoch %d, want 2", code, s.Predicate.Epoch)
		}
		other := v1.Hash{Algorithm: "sha256", Hex: strings.Repeat("0", 64)}
		if list, err := b.repo.Referrers(t.Context(), other); err != nil || len(list) != 0 {
			t.Errorf("status %d: beside nothing stands %v, error %v", code, list, err)
		}
	}
}

// What strangers attach is passed over, and never read beyond its bounds.
func TestStrangersArtifacts(t *testing.T) {
	b := newBed(t)
	huge := b.statement
	huge.Layers = []evidence.Blob{{MediaType: bundle.MediaType, Data: bytes.Repeat([]byte("x"), bundle.MaxEvidenceBytes+1)}}
	typed := b.statement
	typed.Layers = []evidence.Blob{{MediaType: "application/octet-stream", Data: []byte("x")}}
	double := b.statement
	double.Layers = append(double.Layers[:1:1], typed.Layers...)
	sbom := b.statement
	sbom.Annotations = map[string]string{evidence.PredicateTypeAnnotation: "https://spdx.dev/Document"}
	garbage := b.statement
	garbage.Layers = []evidence.Blob{{MediaType: bundle.MediaType, Data: []byte("{")}}
	for _, a := range []evidence.Artifact{huge, typed, double, sbom, garbage} {
		b.must(b.repo.Attach(t.Context(), a))
	}
	l, err := evidence.List(t.Context(), b.repo, b.subject.Digest, attest.PredicateType)
	b.must(err)
	if len(l.Bundles) != 2 || len(l.Ignored) != 3 {
		t.Errorf("got %d bundles, ignored %q, want the good one, the garbage and three ignored", len(l.Bundles), l.Ignored)
	}
	if asked := b.lies.Requests("/blobs/" + huge.Layers[0].Descriptor().Digest.String()); has(asked, http.MethodGet) {
		t.Error("a bundle that is too large was asked for")
	}
	s, err := b.verify(t.Context(), b.repo)
	b.must(err)
	if s.Predicate.Epoch != 1 {
		t.Errorf("got epoch %d", s.Predicate.Epoch)
	}
}

func has(requests []*http.Request, method string) bool {
	for _, r := range requests {
		if r.Method == method {
			return true
		}
	}
	return false
}

// A registry that says nothing is waited for as long as the caller waits.
func TestSilence(t *testing.T) {
	for _, part := range []string{"/v2/", "/referrers/", "/blobs/"} {
		b := newBed(t)
		arrived := make(chan struct{}, 8)
		b.lies.Lie(part, func(w http.ResponseWriter, r *http.Request) {
			arrived <- struct{}{}
			badregistry.Silent()(w, r)
		})
		repo := b.open(b.addr + "/service")
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() {
			_, err := b.verify(ctx, repo)
			done <- err
		}()
		select {
		case <-arrived:
		case err := <-done:
			t.Fatalf("%s: ended before it was asked: %v", part, err)
		}
		cancel()
		if err := <-done; !errors.Is(err, context.Canceled) {
			t.Errorf("%s: got %v, want that it was cancelled", part, err)
		}
	}
}

// The tag moves between two looks: what was resolved stays what it was.
func TestMovedTag(t *testing.T) {
	b := newBed(t)
	ref, err := name.ParseReference(b.addr + "/service:latest")
	b.must(err)
	h, err := b.repo.Resolve(t.Context(), ref)
	b.must(err)
	other, err := random.Image(100, 1)
	b.must(err)
	b.must(b.repo.Push(t.Context(), other, "latest"))
	img, err := content.Image(t.Context(), b.repo, h)
	b.must(err)
	if got, err := img.Digest(); err != nil || got != b.subject.Digest {
		t.Errorf("opened %s (%v), want %s", got, err, b.subject.Digest)
	}
	if moved, err := b.repo.Resolve(t.Context(), ref); err != nil || moved == h {
		t.Errorf("the tag still names %s (%v)", moved, err)
	}
}

// Credentials are the registry's: a host that it redirects to never sees them.
func TestCredentialsStay(t *testing.T) {
	b := newBed(t)
	other, host := badregistry.Start(t)
	other.Lie("/", badregistry.Bytes("", b.statement.Layers[0].Data))
	b.lies.Lie("/blobs/", badregistry.Redirect(host))
	b.lies.Lie("/v2/", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("WWW-Authenticate", `Basic realm="x"`)
		if _, _, ok := r.BasicAuth(); !ok {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		switch {
		case strings.Contains(r.URL.Path, "/blobs/"):
			badregistry.Redirect(host)(w, r)
		case strings.Contains(r.URL.Path, "/referrers/"):
			d, _ := b.statement.Descriptor()
			badregistry.Bytes(string(types.OCIImageIndex), b.listing(d))(w, r)
		case strings.Contains(r.URL.Path, b.digest(b.statement)):
			raw, _ := b.statement.RawManifest()
			badregistry.Bytes(string(types.OCIManifestSchema1), raw)(w, r)
		case strings.Contains(r.URL.Path, "/manifests/"):
			raw, _ := b.image.RawManifest()
			badregistry.Bytes(string(types.OCIManifestSchema1), raw)(w, r)
		}
	})
	repo, _, err := registry.Open(b.addr+"/service", registry.Options{Keychain: secret{}})
	b.must(err)
	defer repo.Close()
	if _, err := b.verify(t.Context(), repo); err != nil {
		t.Errorf("with credentials: %v", err)
	}
	asked := other.Requests("/")
	if len(asked) == 0 {
		t.Fatal("the other host was not asked")
	}
	for _, r := range asked {
		if r.Header.Get("Authorization") != "" {
			t.Errorf("%s got %q", r.URL, r.Header.Get("Authorization"))
		}
	}
}

type secret struct{}

func (secret) Resolve(authn.Resource) (authn.Authenticator, error) {
	return &authn.Basic{Username: "user", Password: "secret"}, nil
}

func TestOpenRefuses(t *testing.T) {
	for _, reference := range []string{"", "UPPER/case", "host/name@sha256:12", "a b", strings.Repeat("x", 300)} {
		if _, _, err := registry.Open(reference, registry.Options{}); err == nil {
			t.Errorf("opened %q", reference)
		}
	}
}
