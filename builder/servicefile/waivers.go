package servicefile

import (
	"slices"
	"strings"
	"time"

	"github.com/immure-dev/immure/harden"
)

func (d *decoder) waivers(n *node, p string, f *File) {
	d.list(n, p, func(n *node, p string) {
		w := Waiver{at: n.at}
		d.mapping(n, p, d.waiver(&w))
		f.Waivers = append(f.Waivers, w)
	})
}

func (d *decoder) waiver(w *Waiver) []field {
	return []field{
		{"facet", true, func(n *node, p string) {
			s, ok := d.text(n, p)
			known := slices.ContainsFunc(harden.Facets(), func(f string) bool { return facetIn(f, s) })
			if ok && !known {
				d.add(n.at, "%s: there is no facet %q", p, s)
			}
			w.Facet = s
		}},
		{"grant", true, func(n *node, p string) { set(&w.Grant)(d.scalar(n, p)) }},
		{"reason", true, func(n *node, p string) { set(&w.Reason)(d.text(n, p)) }},
		{"expires", true, func(n *node, p string) {
			s, ok := d.text(n, p)
			if !ok {
				return
			}
			t, err := time.Parse(time.DateOnly, s)
			if err != nil {
				t, err = time.Parse(time.RFC3339, s)
			}
			if err != nil {
				d.add(n.at, "%s: %q is no date: write 2030-12-31 or 2030-12-31T00:00:00Z", p, s)
			}
			w.Expires = t.UTC()
		}},
	}
}

// facetIn reports whether a waiver for the facet or group covers the facet.
func facetIn(facet, group string) bool {
	return facet == group || strings.HasPrefix(facet, group+".")
}
