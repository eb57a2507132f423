package registry_test

import (
	"bytes"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/immure-dev/immure/internal/badregistry"
)

// Lies about what stands beside an image. Each refuses, and says why.
func TestLies(t *testing.T) {
	const index, manifest = string(types.OCIImageIndex), string(types.OCIManifestSchema1)
	var sent atomic.Int64
	count := func(n int) { sent.Add(int64(n)) }
	for _, tc := range []struct {
		name string
		lie  func(b *bed)
		want string
	}{
		{"other bytes for the image", func(b *bed) {
			b.lies.Lie("/manifests/"+b.subject.Digest.String(), badregistry.Bytes(manifest, []byte(`{"schemaVersion":2}`)))
		}, "other bytes"},
		{"other bytes for the note's manifest", func(b *bed) {
			b.lies.Lie("/manifests/"+b.digest(b.note), badregistry.Bytes(manifest, []byte(`{"schemaVersion":2}`)))
		}, "other bytes"},
		{"other bytes for the note", func(b *bed) {
			data := bytes.Clone(b.note.Layers[0].Data)
			data[len(data)/2] ^= 1
			b.lies.Lie("/blobs/"+b.note.Layers[0].Descriptor().Digest.String(), badregistry.Bytes("", data))
		}, "other bytes"},
		{"the note is listed and gone", func(b *bed) {
			b.lies.Lie("/manifests/"+b.digest(b.note), badregistry.Status(http.StatusNotFound))
		}, "404"},
		{"the listing fails", func(b *bed) { b.lies.Lie("/referrers/", badregistry.Status(http.StatusInternalServerError)) }, "500"},
		{"the listing has no end", func(b *bed) { b.lies.Lie("/referrers/", badregistry.Endless(index, count)) }, "more than"},
		{"the manifest has no end", func(b *bed) {
			b.lies.Lie("/manifests/"+b.digest(b.note), badregistry.Endless(manifest, count))
		}, "more than"},
		{"the note has no end", func(b *bed) { b.lies.Lie("/blobs/", badregistry.Endless("", count)) }, ""},
		{"the listing is a bomb", func(b *bed) { b.lies.Lie("/referrers/", badregistry.Bomb(index)) }, "encoding that was not asked for"},
		{"the note is a bomb", func(b *bed) { b.lies.Lie("/blobs/", badregistry.Bomb("")) }, "encoding that was not asked for"},
		{"pages without end", func(b *bed) {
			b.lies.Lie("/referrers/", badregistry.Pages(index, b.listing()))
		}, "pages of referrers"},
		{"full pages without end", func(b *bed) {
			b.lies.Lie("/referrers/", badregistry.Pages(index, b.listing(many(1000, "application/x")...)))
		}, "more than 4096 referrers"},
		{"a page elsewhere", func(b *bed) {
			b.lies.Lie("/referrers/", func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("Link", `<http://127.0.0.1:1/v2/x>; rel="next"`)
				badregistry.Bytes(index, b.listing())(w, r)
			})
		}, "leads elsewhere"},
		{"5000 referrers", func(b *bed) {
			b.lies.Lie("/referrers/", badregistry.Bytes(index, b.listing(many(5000, "application/x")...)))
		}, "more than 4096"},
		{"a listing that is a manifest too", func(b *bed) {
			b.lies.Lie("/referrers/", badregistry.Bytes(index, []byte(`{"schemaVersion":2,"manifests":[],"layers":[]}`)))
		}, "at once"},
		{"a listing that is HTML", func(b *bed) {
			b.lies.Lie("/referrers/", badregistry.Bytes("text/html", []byte(`<html>`)))
		}, "invalid character"},
		{"a redirect to another registry's bytes", func(b *bed) {
			other, host := badregistry.Start(b.T)
			other.Lie("/", badregistry.Bytes("", []byte("{}")))
			b.lies.Lie("/blobs/", badregistry.Redirect(host))
		}, "want"},
		{"redirects in a ring", func(b *bed) { b.lies.Lie("/referrers/", badregistry.Redirect(b.addr)) }, "redirects"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			b := newBed(t)
			sent.Store(0)
			tc.lie(b)
			notes, err := b.read(t.Context(), b.repo)
			if err == nil {
				t.Fatalf("read %q", notes)
			}
			if !strings.Contains(err.Error(), tc.want) || strings.Contains(err.Error(), "\n") {
				t.Errorf("got %q, want one line with %q", err, tc.want)
			}
			// The rest lies in the buffers of two sockets.
			if n := sent.Load(); n > 64<<20 {
				t.Errorf("took %d bytes of an answer without end", n)
			}
		})
	}
}

// many are descriptors of nothing, of one artifact type.
func many(n int, artifactType string) []v1.Descriptor {
	list := make([]v1.Descriptor, n)
	for i := range list {
		list[i] = v1.Descriptor{
			MediaType: types.OCIManifestSchema1, Size: 1, ArtifactType: artifactType,
			Digest: v1.Hash{Algorithm: "sha256", Hex: fmt.Sprintf("%064x", i)},
		}
	}
	return list
}
