package attest_test

import (
	"testing"

	"github.com/immure-dev/immure/attest"
	"github.com/immure-dev/immure/harden"
	"github.com/immure-dev/immure/internal/boundarygen"
	"pgregory.net/rapid"
)

// TestBriefOriginsSayTheSame compares what a completed predicate answers with
// the list that it was made from.
func TestBriefOriginsSayTheSame(t *testing.T) {
	sources := []string{"stated", "profile:a", "default:server", "rule:restricted"}
	rapid.Check(t, func(t *rapid.T) {
		boundaries := map[string]harden.Boundary{
			"service":  boundarygen.Boundary().Draw(t, "service"),
			"envelope": boundarygen.Boundary().Draw(t, "envelope"),
		}
		type key struct{ boundary, facet, grant string }
		want := make(map[key]string)
		p := attest.Predicate{Service: boundaries["service"], Envelope: boundaries["envelope"]}
		silent := rapid.Bool().Draw(t, "some facets are not told of")
		for name, b := range boundaries {
			for _, facet := range harden.Facets() {
				if silent && rapid.IntRange(0, 9).Draw(t, "silent") == 0 {
					continue
				}
				for _, g := range b.Grants(facet) {
					from := rapid.SampledFrom(sources[:2+rapid.IntRange(0, 2).Draw(t, "n")]).Draw(t, "from")
					want[key{name, facet, g}] = from
					p.Origins = append(p.Origins, attest.Origin{From: from, Boundary: name, Facet: facet, Grants: []string{g}})
				}
			}
		}
		done, err := p.Complete()
		if err != nil {
			t.Fatal(err)
		}
		for name, b := range boundaries {
			for _, facet := range harden.Facets() {
				for _, g := range b.Grants(facet) {
					if got := done.Why(name, facet, g); got != want[key{name, facet, g}] {
						t.Fatalf("%s %s %s: got %q, want %q", name, facet, g, got, want[key{name, facet, g}])
					}
				}
			}
		}
		again, err := done.Complete()
		if err != nil || len(again.Origins) != len(done.Origins) {
			t.Fatalf("completing twice changes the origins: %v", err)
		}
	})
}
