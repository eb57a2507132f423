package image_test

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/immure-dev/immure/attest"
	"github.com/immure-dev/immure/attest/evidence"
)

// What anyone may put beside an image is passed over where it is no statement
// by its own words, however much of it there is, up to a bound.
func TestGarbageBeside(t *testing.T) {
	t.Parallel()
	d := newLargeDraft(t, 1)
	garbage := func(n int) (bundles [][]byte) {
		for i := range n {
			bundles = append(bundles, fmt.Appendf(nil, `{"mediaType":"x","n":%d}`, i))
		}
		return bundles
	}
	beside := func(img v1.Image, bundles ...[]byte) *shelf {
		s := newShelf()
		for _, b := range bundles {
			s.put(t, img, b)
		}
		return s
	}
	sealed, unsealed := d.sealed(), d.image()
	good := statement(t, unsealed, d.predicate, author())
	for name, b := range map[string][]byte{
		"empty": {}, "no JSON": []byte("{"), "a list": []byte("[]"), "null": []byte("null"), "deep": []byte(strings.Repeat("[", 10000)),
		"too large": bytes.Repeat([]byte(" "), 2<<20), "cut short": good[:len(good)-1], "not UTF-8": []byte("\xff"),
		"twice": append(good[:len(good):len(good)], good...),
	} {
		t.Run(name, func(t *testing.T) {
			_, err := judge(t, unsealed, beside(unsealed, b))
			refused(t, err, "signature")
			v, err := judge(t, unsealed, beside(unsealed, b, good))
			if err != nil || !v.Statement {
				t.Errorf("got %+v: %v", v, err)
			}
			v, err = judge(t, sealed, beside(sealed, b))
			if err != nil || v.Statement || !v.Files {
				t.Errorf("got %+v: %v", v, err)
			}
		})
	}
	t.Run("as many as may be", func(t *testing.T) {
		_, err := judge(t, unsealed, beside(unsealed, append(garbage(evidence.MaxConsidered-1), good)...))
		must(t, err)
	})
	t.Run("hundreds", func(t *testing.T) {
		_, err := judge(t, unsealed, beside(unsealed, append(garbage(300), good)...))
		failed(t, err, "statements")
		_, err = judge(t, sealed, beside(sealed, garbage(300)...))
		failed(t, err, "statements")
	})
}

// What a trusted key signed and nobody can understand is not passed over.
func TestSignedGarbageBeside(t *testing.T) {
	d := newDraft(t, 1)
	img := d.sealed()
	for name, payload := range map[string]string{
		"no statement":      "{}",
		"no JSON":           "boundary",
		"nothing":           "",
		"another version":   `{"_type":"https://in-toto.io/Statement/v1","predicateType":"https://github.com/immure-dev/immure/boundary/v9","subject":[],"predicate":{}}`,
		"a member too many": `{"_type":"https://in-toto.io/Statement/v1","more":1,"predicateType":"` + attest.PredicateType + `","subject":[],"predicate":{}}`,
	} {
		t.Run(name, func(t *testing.T) {
			s := stated(t, img, d.predicate)
			s.put(t, img, enveloped(t, payload))
			_, err := judge(t, img, s)
			refused(t, err, "signature")
		})
	}
	t.Run("another type", func(t *testing.T) {
		s := stated(t, img, d.predicate)
		s.put(t, img, enveloped(t, `{"_type":"https://in-toto.io/Statement/v1","predicateType":"https://slsa.dev/provenance/v1","subject":[{"digest":{"sha256":"`+strings.Repeat("0", 64)+`"}}],"predicate":{}}`))
		_, err := judge(t, img, s)
		must(t, err)
	})
}
