package image_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/immure-dev/immure/attest"
	"github.com/immure-dev/immure/attest/bundle"
	"github.com/immure-dev/immure/attest/dsse"
	"github.com/immure-dev/immure/attest/evidence"
	"github.com/immure-dev/immure/attest/keys"
	"github.com/immure-dev/immure/internal/oci/content"
	"github.com/immure-dev/immure/verify"
	"github.com/immure-dev/immure/verify/image"
)

// A shelf is an honest source in memory of what stands beside images.
type shelf struct {
	blobs     map[v1.Hash][]byte
	referrers map[v1.Hash][]v1.Descriptor
}

func newShelf() *shelf {
	return &shelf{make(map[v1.Hash][]byte), make(map[v1.Hash][]v1.Descriptor)}
}

func (s *shelf) open(ctx context.Context, digest v1.Hash) (io.ReadCloser, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	data, ok := s.blobs[digest]
	if !ok {
		return nil, errors.New("not on the shelf")
	}
	return io.NopCloser(bytes.NewReader(data)), nil
}

func (s *shelf) Manifest(ctx context.Context, digest v1.Hash) (io.ReadCloser, error) {
	return s.open(ctx, digest)
}

func (s *shelf) Blob(ctx context.Context, digest v1.Hash) (io.ReadCloser, error) {
	return s.open(ctx, digest)
}

func (s *shelf) Referrers(ctx context.Context, digest v1.Hash) ([]v1.Descriptor, error) {
	return s.referrers[digest], ctx.Err()
}

// put attaches a bundle that claims to be a boundary statement to an image.
func (s *shelf) put(tb testing.TB, img v1.Image, data []byte) v1.Descriptor {
	tb.Helper()
	digest, err := img.Digest()
	must(tb, err)
	raw, err := img.RawManifest()
	must(tb, err)
	mediaType, err := img.MediaType()
	must(tb, err)
	a := evidence.Bundle(data, attest.PredicateType, v1.Descriptor{MediaType: mediaType, Digest: digest, Size: int64(len(raw))}, time.Unix(0, 0))
	d, err := a.Descriptor()
	must(tb, err)
	for _, b := range a.Blobs() {
		s.blobs[b.Descriptor().Digest] = b.Data
	}
	s.blobs[d.Digest], err = a.RawManifest()
	must(tb, err)
	s.referrers[digest] = append(s.referrers[digest], d)
	return d
}

// statement is a bundle about an image's manifest.
func statement(tb testing.TB, img v1.Image, p attest.Predicate, key keys.PrivateKey) []byte {
	tb.Helper()
	raw, err := img.RawManifest()
	must(tb, err)
	data, err := attest.Sign(p, attest.Manifest(raw), key)
	must(tb, err)
	return data
}

// stated is a shelf with the author's statements about an image.
func stated(tb testing.TB, img v1.Image, ps ...attest.Predicate) *shelf {
	tb.Helper()
	s := newShelf()
	for _, p := range ps {
		s.put(tb, img, statement(tb, img, p, author()))
	}
	return s
}

// judge verifies an image with the author's key by a brief reading and by a
// full one, which must agree, and returns the full one's verdict. Beside may
// be nil.
func judge(tb testing.TB, img v1.Image, beside content.Source) (*image.Verdict, error) {
	tb.Helper()
	brief, full, briefErr, fullErr := bothWays(tb, img, beside, author().Public())
	if fmt.Sprint(briefErr) != fmt.Sprint(fullErr) {
		tb.Errorf("a brief reading gives %v, a full one %v", briefErr, fullErr)
	}
	if brief != nil && full != nil {
		agree(tb, brief, full)
	}
	return full, fullErr
}

func bothWays(tb testing.TB, img v1.Image, beside content.Source, trusted ...keys.PublicKey) (brief, full *image.Verdict, briefErr, fullErr error) {
	tb.Helper()
	in := image.Input{Image: img, Beside: beside}
	brief, briefErr = image.Verify(tb.Context(), in, image.Options{Trusted: trusted})
	full, fullErr = image.Verify(tb.Context(), in, image.Options{Trusted: trusted, Files: true})
	for _, v := range []struct {
		v   *image.Verdict
		err error
	}{{brief, briefErr}, {full, fullErr}} {
		if (v.v == nil) != (v.err != nil) {
			tb.Errorf("got the verdict %v with the error %v", v.v, v.err)
		}
	}
	return brief, full, briefErr, fullErr
}

// agree wants two verdicts to differ in nothing but how much was read.
func agree(tb testing.TB, brief, full *image.Verdict) {
	tb.Helper()
	same, err := brief.Predicate.Equal(full.Predicate)
	must(tb, err)
	if !same || brief.Manifest != full.Manifest || brief.TreeDigest != full.TreeDigest || brief.Statement != full.Statement {
		tb.Errorf("a brief reading gives %+v, a full one %+v", brief, full)
	}
	if brief.Files && !full.Files {
		tb.Error("a brief reading computed a tree digest that a full one did not")
	}
}

// refused wants a refusal of every one of the facets, in any number, of no
// other, and the words in what is printed.
func refused(tb testing.TB, err error, facets string, words ...string) {
	tb.Helper()
	var r *verify.RefusedError
	if !errors.As(err, &r) {
		tb.Fatalf("got %v, want a refusal of %s", err, facets)
	}
	found := make(map[string]bool)
	for _, x := range r.Refusals {
		found[x.Facet] = true
		if x.Found == "" || x.Signed == "" || x.Mend == "" || strings.ContainsAny(x.String(), "\n\r\x1b") {
			tb.Errorf("no refusal to act on: %q", x)
		}
	}
	if got := strings.Join(slices.Sorted(maps.Keys(found)), " "); got != facets {
		tb.Errorf("refused were %q, want %q: %v", got, facets, err)
	}
	wants(tb, err, words...)
}

// failed wants an image that could not be judged.
func failed(tb testing.TB, err error, words ...string) {
	tb.Helper()
	var r *verify.RefusedError
	if err == nil || errors.As(err, &r) {
		tb.Fatalf("got %v, want an error that is no refusal, with %q", err, words)
	}
	wants(tb, err, words...)
}

func wants(tb testing.TB, err error, words ...string) {
	tb.Helper()
	for _, w := range words {
		if !strings.Contains(err.Error(), w) {
			tb.Errorf("got %v, want %q in it", err, w)
		}
	}
}

func trust(of ...keys.PrivateKey) (public []keys.PublicKey) {
	for _, k := range of {
		public = append(public, k.Public())
	}
	return public
}

// enveloped is a bundle by the author around any payload.
func enveloped(tb testing.TB, payload string) []byte {
	tb.Helper()
	e, err := dsse.Sign([]byte(payload), author())
	must(tb, err)
	data, err := bundle.Bundle{Envelope: e, Hint: author().Public().Hint()}.Encode()
	must(tb, err)
	return data
}
