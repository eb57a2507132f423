package registry_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/immure-dev/immure/internal/badregistry"
	"github.com/immure-dev/immure/internal/oci/content"
	"github.com/immure-dev/immure/internal/oci/registry"
)

// A bed is an image with a note about it in a registry that can lie.
type bed struct {
	*testing.T
	lies    *badregistry.Registry
	addr    string
	repo    *registry.Repository
	image   v1.Image
	subject v1.Descriptor
	note    content.Artifact
}

func newBed(t *testing.T) *bed {
	t.Helper()
	b := &bed{T: t}
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
	b.note = b.about(1)
	b.must(b.repo.Push(t.Context(), img, "latest", b.note))
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

const noteType = "application/vnd.example.note"

// about is an artifact about the image.
func (b *bed) about(n int) content.Artifact {
	return content.Artifact{
		Type: noteType, Layers: []content.Blob{{MediaType: noteType, Data: fmt.Append(nil, "note ", n)}}, Subject: &b.subject,
	}
}

// read reads the image's manifest and the notes about it.
func (b *bed) read(ctx context.Context, repo *registry.Repository) (notes []string, err error) {
	list, err := repo.Referrers(ctx, b.subject.Digest)
	if err != nil {
		return nil, err
	}
	for _, d := range list {
		raw, err := content.ReadManifest(ctx, repo, d.Digest, content.MaxManifestBytes)
		if err != nil {
			return nil, err
		}
		m, err := content.ParseManifest(raw)
		if err != nil {
			return nil, err
		}
		data, err := content.ReadBlob(ctx, repo, m.Layers[0], 100)
		if err != nil {
			return nil, err
		}
		notes = append(notes, string(data))
	}
	slices.Sort(notes)
	_, err = content.ReadManifest(ctx, repo, b.subject.Digest, content.MaxManifestBytes)
	return notes, err
}

func (b *bed) digest(a content.Artifact) string {
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

func TestPush(t *testing.T) {
	b := newBed(t)
	for range 2 { // the second time all is there already
		b.must(b.repo.Push(t.Context(), b.image, "latest", b.note, b.about(2)))
	}
	notes, err := b.read(t.Context(), b.repo)
	b.must(err)
	if !slices.Equal(notes, []string{"note 1", "note 2"}) {
		t.Errorf("got %q", notes)
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
		b := &bed{T: t}
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
		b.must(b.repo.Push(t.Context(), img, "", b.about(1)))
		b.must(b.repo.Attach(t.Context(), b.about(2)))
		notes, err := b.read(t.Context(), b.repo)
		b.must(err)
		if !slices.Equal(notes, []string{"note 1", "note 2"}) {
			t.Errorf("status %d: got %q", code, notes)
		}
		other := v1.Hash{Algorithm: "sha256", Hex: strings.Repeat("0", 64)}
		if list, err := b.repo.Referrers(t.Context(), other); err != nil || len(list) != 0 {
			t.Errorf("status %d: beside nothing stands %v, error %v", code, list, err)
		}
	}
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
			_, err := b.read(ctx, repo)
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
	other.Lie("/", badregistry.Bytes("", b.note.Layers[0].Data))
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
			d, _ := b.note.Descriptor()
			badregistry.Bytes(string(types.OCIImageIndex), b.listing(d))(w, r)
		case strings.Contains(r.URL.Path, b.digest(b.note)):
			raw, _ := b.note.RawManifest()
			badregistry.Bytes(string(types.OCIManifestSchema1), raw)(w, r)
		case strings.Contains(r.URL.Path, "/manifests/"):
			raw, _ := b.image.RawManifest()
			badregistry.Bytes(string(types.OCIManifestSchema1), raw)(w, r)
		}
	})
	repo, _, err := registry.Open(b.addr+"/service", registry.Options{Keychain: secret{}})
	b.must(err)
	defer repo.Close()
	if _, err := b.read(t.Context(), repo); err != nil {
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
