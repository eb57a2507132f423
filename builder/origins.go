package builder

import (
	"slices"
	"strings"

	"github.com/immure-dev/immure/harden"
)

// An Origin says where grants of one facet of a boundary came from.
type Origin struct {
	From     string // "profile:go-static", "stated", "default:server", "rule:…"
	Boundary string // "service" or "envelope"
	Facet    string
	Grants   []string // in canonical order
}

// origins records where each facet of a boundary came from.
type origins struct {
	rest  string              // of what nothing else is said of
	whole map[string]string   // by facet
	parts map[string][]Origin // further grants, by facet
}

func (o *origins) start(rest string) {
	*o = origins{rest: rest, whole: make(map[string]string), parts: make(map[string][]Origin)}
}

// set says where a facet as a whole came from.
func (o *origins) set(facet, from string) { o.whole[facet] = from }

// add says where some grants of a facet came from.
func (o *origins) add(facet, from string, grants ...string) {
	o.parts[facet] = append(o.parts[facet], Origin{From: from, Facet: facet, Grants: grants})
}

// list gives the origin of every grant of b.
func (o *origins) list(boundary string, b harden.Boundary) []Origin {
	var out []Origin
	for _, facet := range harden.Facets() {
		rest := b.Grants(facet)
		by := make(map[string][]string)
		for _, p := range o.parts[facet] {
			for _, g := range p.Grants {
				// Of a part that was dropped for a wider grant nothing is said.
				if i := slices.Index(rest, g); i >= 0 {
					rest = slices.Delete(rest, i, i+1)
					by[p.From] = append(by[p.From], g)
				}
			}
		}
		from := o.whole[facet]
		if from == "" {
			from = o.rest
		}
		if len(rest) > 0 {
			by[from] = append(by[from], rest...)
		}
		for from, g := range by {
			slices.Sort(g)
			out = append(out, Origin{From: from, Boundary: boundary, Facet: facet, Grants: g})
		}
	}
	slices.SortFunc(out, func(a, b Origin) int {
		return strings.Compare(a.Boundary+"\x00"+a.Facet+"\x00"+a.From, b.Boundary+"\x00"+b.Facet+"\x00"+b.From)
	})
	return out
}
