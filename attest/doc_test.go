package attest_test

import (
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/immure-dev/immure/attest"
	"github.com/immure-dev/immure/harden"
)

// specification is the predicate's document.
func specification(t *testing.T) string {
	t.Helper()
	return string(must[[]byte](t)(os.ReadFile("../docs/predicate-boundary-v1.md")))
}

// The specification's table names every facet, in facet order, and no other.
func TestSpecificationNamesFacets(t *testing.T) {
	_, table, _ := strings.Cut(specification(t), "| facet | kind | says |\n")
	table, _, _ = strings.Cut(table, "\n\n")
	var named []string
	for _, m := range regexp.MustCompile("(?m)^\\| `([^`]+)` \\|").FindAllStringSubmatch(table, -1) {
		named = append(named, m[1])
	}
	if !slices.Equal(named, harden.Facets()) {
		t.Errorf("the table names %q, the facets are %q", named, harden.Facets())
	}
}

// Every member of the predicate and of its lists is in the specification.
func TestSpecificationNamesMembers(t *testing.T) {
	text := specification(t)
	for _, v := range []any{attest.Predicate{}, attest.Waiver{}, attest.State{}, attest.Origin{}, attest.Unenforced{}} {
		for field := range reflect.TypeOf(v).Fields() {
			if name := field.Tag.Get("json"); !strings.Contains(text, "`"+name+"`") {
				t.Errorf("%T: member %q is not specified", v, name)
			}
		}
	}
	for _, name := range []string{attest.PredicateType, attest.StatementType, attest.TreeDigest} {
		if !strings.Contains(text, name) {
			t.Errorf("%s is not in the specification", name)
		}
	}
}
