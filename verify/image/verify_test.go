package image_test

import (
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/immure-dev/immure/attest/tree"
	"github.com/immure-dev/immure/verify/image"
)

func TestTrustsNobody(t *testing.T) {
	img := newDraft(t, 1).sealed()
	for _, o := range []image.Options{{}, {Files: true}} {
		v, err := image.Verify(t.Context(), image.Input{Image: img}, o)
		if v != nil {
			t.Errorf("%+v was accepted", v)
		}
		failed(t, err, "no trusted key")
	}
}

// Who signed what: a seal inside, a statement beside, by the author or by a
// stranger.
func TestSignatures(t *testing.T) {
	t.Parallel()
	for name, draw := range sizes {
		t.Run(name, func(t *testing.T) {
			d := draw(t, 3)
			unsealed, sealed := d.image(), d.sealed()
			strangers := d.image(layer(t, d.seal(stranger())))
			accepted := func(name string, img v1.Image, beside *shelf, statement, seal bool) {
				t.Run(name, func(t *testing.T) {
					v, err := judge(t, img, beside)
					must(t, err)
					digest, err := img.Digest()
					must(t, err)
					same, err := v.Predicate.Equal(d.predicate)
					must(t, err)
					if v.Manifest != digest || !same || v.Statement != statement || v.Files != seal || (v.TreeDigest != "") != seal {
						t.Errorf("got %+v", v)
					}
				})
			}
			by := func(img v1.Image, key string) *shelf {
				s := newShelf()
				if key != "stranger" {
					s.put(t, img, statement(t, img, d.predicate, author()))
				}
				if key != "author" {
					s.put(t, img, statement(t, img, d.predicate, stranger()))
				}
				return s
			}
			accepted("seal", sealed, newShelf(), false, true)
			accepted("statement", unsealed, by(unsealed, "author"), true, false)
			accepted("seal and statement", sealed, by(sealed, "author"), true, true)
			accepted("seal and a stranger's statement", sealed, by(sealed, "stranger"), false, true)
			accepted("statement and a stranger's seal", strangers, by(strangers, "author"), true, false)
			accepted("statement among others", unsealed, by(unsealed, "both"), true, false)

			for _, c := range []struct {
				name   string
				img    v1.Image
				beside *shelf
			}{
				{"nothing", unsealed, newShelf()},
				{"a stranger's seal", strangers, newShelf()},
				{"a stranger's statement", unsealed, by(unsealed, "stranger")},
				{"a stranger's both", strangers, by(strangers, "stranger")},
				{"what stands beside another image", unsealed, moved(t, by(sealed, "author"), sealed, unsealed)},
				{"a statement about another image", unsealed, attached(t, unsealed, statement(t, sealed, d.predicate, author()))},
				{"a seal beside", unsealed, attached(t, unsealed, []byte(d.seal(author()).data))},
			} {
				t.Run(c.name, func(t *testing.T) {
					_, err := judge(t, c.img, c.beside)
					refused(t, err, "signature", "a boundary, by a trusted key")
				})
			}
		})
	}
}

// A seal that cannot be understood is no stranger's to be passed over: beside
// a good statement it refuses too.
func TestBrokenSealBesideAStatement(t *testing.T) {
	for size, draw := range sizes {
		d := draw(t, 1)
		for name, data := range map[string]string{
			"empty":               "",
			"no bundle":           "{}",
			"a statement's":       string(statement(t, d.image(), d.predicate, author())),
			"a newline more":      d.seal(author()).data + "\n",
			"signed, not a seal":  string(enveloped(t, "{}")),
			"a stranger's broken": d.seal(stranger()).data + "\n",
		} {
			t.Run(size+"/"+name, func(t *testing.T) {
				img := d.image(layer(t, entry{name: tree.SealPath, data: data}))
				_, err := judge(t, img, stated(t, img, d.predicate))
				refused(t, err, "signature")
			})
		}
	}
}

// attached is a shelf with a bundle beside an image.
func attached(tb testing.TB, img v1.Image, bundle []byte) *shelf {
	tb.Helper()
	s := newShelf()
	s.put(tb, img, bundle)
	return s
}

// moved offers what stands beside one image beside another.
func moved(tb testing.TB, s *shelf, from, to v1.Image) *shelf {
	tb.Helper()
	a, err := from.Digest()
	must(tb, err)
	b, err := to.Digest()
	must(tb, err)
	s.referrers[b] = s.referrers[a]
	return s
}

// An archive has nothing beside it.
func TestNothingBeside(t *testing.T) {
	d := newDraft(t, 1)
	in := image.Input{Image: d.sealed()}
	o := image.Options{Trusted: trust(stranger(), author())}
	v, err := image.Verify(t.Context(), in, o)
	must(t, err)
	if v.Statement || !v.Files || v.Predicate.Epoch != 1 {
		t.Errorf("got %+v", v)
	}
	o.Trusted = trust(stranger())
	_, err = image.Verify(t.Context(), in, o)
	refused(t, err, "signature")
	in.Image = d.image()
	_, err = image.Verify(t.Context(), in, o)
	refused(t, err, "signature", "no seal")
}

// The tree digest does not depend on how the files are packed.
func TestRepacked(t *testing.T) {
	d := newDraft(t, 1)
	seal := d.seal(author())
	one := append(append(append([]entry{}, d.files...), d.declared...), seal)
	a, err := judge(t, d.sealed(), newShelf())
	must(t, err)
	b, err := judge(t, d.imageOf(layer(t, one...)), newShelf())
	must(t, err)
	if a.TreeDigest != b.TreeDigest || a.Manifest == b.Manifest {
		t.Errorf("got %s tree %s and %s tree %s", a.Manifest, a.TreeDigest, b.Manifest, b.TreeDigest)
	}
}
