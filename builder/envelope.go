package builder

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	"github.com/immure-dev/immure/builder/servicefile"
	"github.com/immure-dev/immure/harden"
	"github.com/immure-dev/immure/profiles"
)

// envelope gives the widest request for the service's boundary.
func envelope(f *servicefile.File, service harden.Boundary) (harden.Boundary, error) {
	var b harden.Boundary
	var err error
	if f.Envelope == "strict" {
		b, err = profiles.Strict(service)
	} else {
		b, err = profiles.Restricted(without(service, f))
	}
	if err == nil && len(f.EnvelopeFacets) > 0 {
		b, err = overlay(b, f.EnvelopeFacets)
	}
	if err != nil {
		return b, fmt.Errorf("%s: envelope: %w", f.At("envelope"), err)
	}
	for facet := range f.EnvelopeFacets {
		for _, g := range servicefile.Wide(facet, b) {
			if _, ok := f.Waiver(facet, g); !ok {
				return b, fmt.Errorf("%s: envelope: %w", f.At("envelope."+facet), servicefile.ErrWaiver(facet, g))
			}
		}
	}
	if over := service.Over(b); len(over) > 0 {
		return b, fmt.Errorf("%s: envelope: the service is not within it: %w: narrow the service, or widen the envelope (envelope: strict follows the service)",
			f.At("envelope"), &harden.ExcessError{Excesses: over})
	}
	return b, nil
}

// without takes the value of the kind's base for every facet that the envelope
// states itself: what is restricted of the others is judged for them alone.
func without(service harden.Boundary, f *servicefile.File) harden.Boundary {
	base := profiles.Base(f.Kind)
	for facet := range f.EnvelopeFacets {
		service.Take(facet, base)
	}
	return service
}

// overlay replaces facets by their JSON values.
func overlay(b harden.Boundary, facets map[string]any) (harden.Boundary, error) {
	data, err := b.Encode()
	if err != nil {
		return b, err
	}
	var tree map[string]any
	if err := json.Unmarshal(data, &tree); err != nil {
		return b, err
	}
	// One at a time, so that the facet that is not well formed is named.
	for _, facet := range slices.Sorted(maps.Keys(facets)) {
		at := tree
		names := strings.Split(facet, ".")
		for _, n := range names[:len(names)-1] {
			at, _ = at[n].(map[string]any)
		}
		if at == nil {
			return b, fmt.Errorf("%s: no such facet", facet)
		}
		at[names[len(names)-1]] = facets[facet]
		if b, err = decode(tree); err != nil {
			if strings.HasPrefix(err.Error(), facet+":") {
				return b, err // names it already
			}
			return b, fmt.Errorf("%s: %w", facet, err)
		}
	}
	return b, nil
}

// decode reads a boundary whose sets may be written in any order, and nothing
// else but canonically.
func decode(tree map[string]any) (b harden.Boundary, err error) {
	given, err := harden.Canonical(tree)
	if err != nil {
		return b, err
	}
	if err := json.Unmarshal(given, &b); err != nil {
		return b, err
	}
	if err := b.Check(); err != nil {
		return b, err
	}
	again, err := b.Encode()
	if err != nil {
		return b, err
	}
	var a, z any
	if err := errors.Join(json.Unmarshal(given, &a), json.Unmarshal(again, &z)); err != nil {
		return b, err
	}
	if !reflect.DeepEqual(sorted(a), sorted(z)) {
		return b, errors.New("the value has an unknown or repeated part, or is not in its usual form")
	}
	return b, nil
}

// sorted orders every array, so that sets compare as sets.
func sorted(v any) any {
	switch v := v.(type) {
	case map[string]any:
		for k := range v {
			v[k] = sorted(v[k])
		}
	case []any:
		for i := range v {
			v[i] = sorted(v[i])
		}
		slices.SortFunc(v, func(a, b any) int { return strings.Compare(fmt.Sprint(a), fmt.Sprint(b)) })
	}
	return v
}
