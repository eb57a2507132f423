package attest

import (
	"maps"
	"slices"

	"github.com/immure-dev/immure/harden"
)

// Why says where a grant came from: the origin that lists it, else the one that
// stands for the rest of its facet, else the one for the rest of its boundary.
// Empty means that nobody said. Boundary is "service" or "envelope".
func (p Predicate) Why(boundary, facet, grant string) string {
	rest, others := "", ""
	named := false
	for _, o := range p.Origins {
		if o.Boundary != boundary {
			continue
		}
		switch {
		case o.Facet == facet && slices.Contains(o.Grants, grant):
			return o.From
		case o.Facet == facet:
			named = true
			if len(o.Grants) == 0 {
				rest = o.From
			}
		case o.Facet == AnyFacet:
			others = o.From
		}
	}
	if named {
		return rest
	}
	return others
}

// briefly tells origins in as few words as can be: a seal has little room, and
// most facets have one origin. What [Predicate.Why] answers for the grants of
// either boundary stays the same.
func (p Predicate) briefly(list []Origin) []Origin {
	out := make([]Origin, 0, len(list))
	for name, b := range map[string]harden.Boundary{"service": p.Service, "envelope": p.Envelope} {
		out = append(out, brief(b, slices.DeleteFunc(slices.Clone(list), func(o Origin) bool { return o.Boundary != name }))...)
	}
	slices.SortFunc(out, Origin.compare)
	return out
}

func brief(b harden.Boundary, list []Origin) []Origin {
	byFacet := make(map[string][]Origin)
	for _, o := range list {
		byFacet[o.Facet] = append(byFacet[o.Facet], o)
	}
	alone := make(map[string][]Origin) // facets with one origin, by what it is
	var out []Origin
	for _, facet := range slices.Sorted(maps.Keys(byFacet)) {
		origins := byFacet[facet]
		if facet == AnyFacet || !tells(origins, b.Grants(facet)) {
			out = append(out, origins...)
			continue
		}
		longest := 0
		for i, o := range origins {
			if len(o.Grants) > len(origins[longest].Grants) {
				longest = i
			}
		}
		origins[longest].Grants = []string{}
		if len(origins) > 1 {
			out = append(out, origins...)
			continue
		}
		alone[origins[0].From] = append(alone[origins[0].From], origins[0])
	}
	return append(out, restOf(b, alone, byFacet)...)
}

// restOf lets one origin stand for the facets of the most common one, provided
// that every facet with grants is told of.
func restOf(b harden.Boundary, alone, byFacet map[string][]Origin) []Origin {
	complete := byFacet[AnyFacet] == nil && !slices.ContainsFunc(harden.Facets(), func(f string) bool {
		return byFacet[f] == nil && len(b.Grants(f)) > 0
	})
	most := ""
	for _, from := range slices.Sorted(maps.Keys(alone)) {
		if len(alone[from]) > len(alone[most]) {
			most = from
		}
	}
	var out []Origin
	for from, origins := range alone {
		if complete && from == most && len(origins) > 1 {
			out = append(out, Origin{From: from, Boundary: origins[0].Boundary, Facet: AnyFacet, Grants: []string{}})
			continue
		}
		out = append(out, origins...)
	}
	return out
}

// tells reports whether the origins together list every grant, or leave the
// rest to one of them.
func tells(origins []Origin, grants []string) bool {
	for _, o := range origins {
		if len(o.Grants) == 0 {
			return false // brief already
		}
	}
	return !slices.ContainsFunc(grants, func(g string) bool {
		return !slices.ContainsFunc(origins, func(o Origin) bool { return slices.Contains(o.Grants, g) })
	})
}
