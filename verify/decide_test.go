package verify_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/immure-dev/immure/harden"
	"github.com/immure-dev/immure/internal/boundarygen"
	"github.com/immure-dev/immure/verify"
	"pgregory.net/rapid"
)

// reading states the given facets of b and claims that the form can express
// them all.
func reading(b harden.Boundary, facets ...string) harden.Reading {
	var stated harden.Boundary
	for _, f := range facets {
		stated.Take(f, b)
	}
	return harden.Reading{Form: "test form", Boundary: stated, Facets: facets}
}

func TestDecideAgreesWithTheOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		signed := boundarygen.Boundary().Draw(t, "signed")
		asked := boundarygen.Near(signed).Draw(t, "asked")
		r := reading(asked, harden.Facets()...)
		d := verify.Decide(signed, r)
		if d.Allowed != asked.Within(signed) {
			t.Fatalf("allowed %v, within %v", d.Allowed, asked.Within(signed))
		}
		var facets []string
		for _, e := range asked.Over(signed) {
			facets = append(facets, e.Facet)
		}
		if len(d.Refusals) != len(facets) {
			t.Fatalf("%d refusals for %d facets", len(d.Refusals), len(facets))
		}
		for i, refusal := range d.Refusals {
			if refusal.Facet != facets[i] || refusal.Found == "" || refusal.Signed == "" || refusal.Mend == "" || strings.ContainsRune(refusal.String(), '\n') {
				t.Fatalf("refusal %d is incomplete or out of order: %+v", i, refusal)
			}
		}
		first, _ := json.Marshal(d)
		second, _ := json.Marshal(verify.Decide(signed, r))
		if string(first) != string(second) {
			t.Fatal("two decisions on one input differ")
		}
	})
}

// TestEveryFacetIsJudgedOrLeft makes sure that no facet falls between doors.
func TestEveryFacetIsJudgedOrLeft(t *testing.T) {
	b := boundarygen.Boundary().Example(3)
	for i, name := range harden.Facets() {
		some := harden.Facets()[:i+1]
		d := verify.Decide(b, reading(b, some...))
		if !d.Allowed || len(d.Left) != len(harden.Facets())-len(some) {
			t.Errorf("up to %s: allowed %v, %d left", name, d.Allowed, len(d.Left))
		}
		for _, l := range d.Left {
			if slices.Contains(some, l.Facet) || l.To == "" {
				t.Errorf("left %+v", l)
			}
		}
	}
}

func TestWhatCouldNotBeReadRefuses(t *testing.T) {
	b := boundarygen.Boundary().Example(3)
	all := harden.Facets()
	for _, name := range all {
		unstated := reading(b, all...)
		var empty harden.Boundary
		unstated.Boundary.Take(name, empty)
		if d := verify.Decide(b, unstated); d.Allowed || d.Refusals[0].Facet != name {
			t.Errorf("%s was not stated and yet allowed", name)
		}
		unread := reading(b, all...)
		unread.Unread = map[string]string{name: "no such file"}
		if d := verify.Decide(b, unread); d.Allowed || !strings.Contains(d.Refusals[0].Found, "no such file") {
			t.Errorf("%s could not be read and yet allowed", name)
		}
	}
	foreign := reading(b, all...)
	foreign.Foreign = []string{"linux.newThing"}
	if d := verify.Decide(b, foreign); d.Allowed || d.Refusals[0].Found != "linux.newThing" {
		t.Error("what no facet covers was allowed")
	}
	stray := reading(b, "rootfs")
	stray.Unread = map[string]string{"mounts": "x"}
	if verify.Decide(b, stray).Allowed {
		t.Error("an unread facet outside the form's own was allowed")
	}
	if verify.Decide(b, harden.Reading{}).Allowed {
		t.Error("an empty reading was allowed")
	}
	if verify.Decide(harden.Boundary{}, reading(b, all...)).Allowed {
		t.Error("a signed boundary that states nothing allowed something")
	}
}
