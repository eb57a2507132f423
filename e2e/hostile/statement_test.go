//go:build e2e

package hostile_test

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/immure-dev/immure/attest/tree"
	"github.com/immure-dev/immure/internal/oci/content"
)

// unsealed is the fixture without its seal: what speaks for it stands beside.
func (f *fixture) unsealed(tb testing.TB) v1.Image {
	tb.Helper()
	layers, err := f.img.Layers()
	must(tb, err)
	return assemble(tb, f.img, nil, layers[:len(layers)-1]...)
}

// A payload makes, of a true statement, what a trusted key is made to sign.
type payload struct {
	name string
	make func(tb testing.TB, s object) []byte
}

// edit is a payload that is canonical JSON of a changed statement.
func edit(name string, change func(s object)) payload {
	return payload{name, func(tb testing.TB, s object) []byte {
		change(s)
		return canonical(tb, s)
	}}
}

// text is a payload made from the true one's bytes.
func text(name string, change func(s string) string) payload {
	return payload{name, func(tb testing.TB, s object) []byte {
		before := canonical(tb, s)
		after := []byte(change(string(before)))
		if bytes.Equal(before, after) {
			tb.Fatalf("%s changes nothing", name)
		}
		return after
	}}
}

func replace(from, to string) func(string) string {
	return func(s string) string { return strings.Replace(s, from, to, 1) }
}

func predicate(s object) object { return s["predicate"].(object) }

// A trusted key signed it, and still it vouches for nothing: as the only
// statement beside an image, in each medium.
func TestSignedStatementsThatDoNotCount(t *testing.T) {
	f := service(t)
	img := f.unsealed(t)
	offer(t, img, []content.Artifact{beside(t, img, signed(t, canonical(t, f.statement(t, img)), f.key))}, func(t *testing.T, ref string) {
		f.verify(t, ref).allowed(t) // or the rest would show nothing
	})
	for group, payloads := range map[string][]payload{"type": otherTypes, "broken": broken, "twofold": twofold, "subject": subjects} {
		for _, p := range payloads {
			t.Run(group+"/"+p.name, func(t *testing.T) {
				t.Parallel()
				bundle := signed(t, p.make(t, f.statement(t, img)), f.key)
				offer(t, img, []content.Artifact{beside(t, img, bundle)}, func(t *testing.T, ref string) {
					f.verify(t, ref).refused(t, 1, "immure: refused: signature: ")
				})
			})
		}
	}
}

// The same as the seal inside, whose subject is the tree.
func TestSealsThatDoNotCount(t *testing.T) {
	f := service(t)
	files := flatten(t, f.img)
	truth := payloadOf(t, bytesOf(t, files, tree.SealPath))
	again := func(tb testing.TB) object {
		var s object
		must(tb, json.Unmarshal(canonical(tb, truth), &s))
		return s
	}
	seal := func(tb testing.TB, payload []byte) string {
		files := flatten(tb, f.img)
		write(tb, files, tree.SealPath, signed(tb, payload, f.key))
		return inLayout(tb, f.repack(tb, files))
	}
	f.verify(t, seal(t, canonical(t, truth))).allowed(t)
	more := []payload{
		edit("about a manifest", func(s object) { s["subject"] = []any{object{"digest": object{"sha256": strings.Repeat("ab", 32)}}} }),
		edit("about another tree", func(s object) {
			s["subject"] = []any{object{"digest": object{tree.Algorithm: strings.Repeat("ab", 32)}}}
		}),
		edit("about two trees", func(s object) { s["subject"] = append(s["subject"].([]any), s["subject"].([]any)...) }),
		edit("about a tree and a manifest", digests(func(d object) { d["sha256"] = strings.Repeat("ab", 32) })),
		edit("about a tree by an older encoding", digests(func(d object) { d["immureTree0"] = d[tree.Algorithm]; delete(d, tree.Algorithm) })),
	}
	for _, payloads := range [][]payload{otherTypes, broken, twofold, more} {
		for _, p := range payloads {
			t.Run(p.name, func(t *testing.T) {
				t.Parallel()
				f.verify(t, seal(t, p.make(t, again(t)))).refused(t, 1)
			})
		}
	}
}

// A statement of a trusted key that cannot be understood refuses even where a
// good seal is: it could be the one that counts. What strangers leave beside an
// image changes nothing, or anyone could keep a service from starting.
func TestStatementsBesideASealedImage(t *testing.T) {
	f := service(t)
	for _, p := range [][]payload{broken, twofold} {
		for _, p := range p {
			t.Run("trusted/"+p.name, func(t *testing.T) {
				t.Parallel()
				bundle := signed(t, p.make(t, f.statement(t, f.img)), f.key)
				f.verify(t, inRegistry(t, f.img, beside(t, f.img, bundle))).refused(t, 1, "signature")
			})
			t.Run("stranger/"+p.name, func(t *testing.T) {
				t.Parallel()
				bundle := signed(t, p.make(t, f.statement(t, f.img)), stranger(t))
				f.verify(t, inRegistry(t, f.img, beside(t, f.img, bundle))).allowed(t)
			})
		}
	}
}
