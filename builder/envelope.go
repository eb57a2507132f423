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
	"github.com/immure-dev/immure/harden/canon"
	"github.com/immure-dev/immure/profiles"
)

// envelope gives the widest request for the service's boundary.
func envelope(f *servicefile.File, service harden.Boundary) (harden.Boundary, error) {
	var usual harden.Boundary
	var err error
	if f.Envelope == "strict" {
		usual, err = profiles.Strict(service)
	} else {
		usual, err = profiles.Restricted(without(service, f))
	}
	b := usual
	if err == nil && len(f.EnvelopeFacets) > 0 {
		b, err = overlay(b, f.EnvelopeFacets)
	}
	if err != nil {
		return b, fmt.Errorf("%s: envelope: %w", f.At("envelope"), err)
	}
	for _, facet := range slices.Sorted(maps.Keys(f.EnvelopeFacets)) {
		for _, g := range append(servicefile.Wide(facet, b), beyond(facet, b, usual, service)...) {
			if _, ok := f.Waiver(facet, g); !ok {
				return b, fmt.Errorf("%s: envelope: %w", f.At("envelope."+facet), servicefile.ErrWaiver(facet, g))
			}
		}
	}
	floored, err := profiles.Floors()
	if err != nil {
		return b, err
	}
	// What a runtime calls itself is asked for with every service.
	service.Syscalls = service.Syscalls.With(floored...)
	if over := service.Over(b); len(over) > 0 {
		return b, fmt.Errorf("%s: envelope: the service is not within it: %w: narrow the service, or widen the envelope (envelope: strict follows the service)",
			f.At("envelope"), &harden.ExcessError{Excesses: over})
	}
	return b, nil
}

// measured are facets of which an envelope may ask more than is usual: a limit,
// a port, an argument. What is too much of them is servicefile's to say.
var measured = []string{
	"network.connect", "network.listen", "process.args", "process.cwd", "process.env", "process.oomScoreAdj", "rlimits",
	"resources.cpuMaxMillis", "resources.ioMaxBytesPerSecond", "resources.memoryMaxBytes", "resources.pidsMax", "resources.swapMaxBytes",
	"user.umask",
}

// beyond lists what a stated facet grants beyond the usual envelope and the
// service: each needs a waiver, whatever it is, so that no facet is forgotten.
func beyond(facet string, b, usual, service harden.Boundary) []string {
	if slices.Contains(measured, facet) {
		return nil
	}
	if _, over := b.OverIn(facet, usual); !over {
		return nil
	}
	if _, over := b.OverIn(facet, service); !over {
		return nil
	}
	if facet == "syscalls" && !b.Syscalls.IsUnconfined() {
		return calls(b.Syscalls.Over(usual.Syscalls))
	}
	var out []string
	for _, g := range b.Grants(facet) {
		if !slices.Contains(usual.Grants(facet), g) && !slices.Contains(service.Grants(facet), g) {
			out = append(out, g)
		}
	}
	if out == nil {
		out = []string{b.Text(facet)}
	}
	return out
}

// calls are the names in what one policy permits beyond another.
func calls(over []string) []string {
	var out []string
	for _, text := range over {
		name, _, _ := strings.Cut(text, "(")
		if strings.HasPrefix(text, "every call") {
			name = "any"
		}
		name, _, _ = strings.Cut(name, " answered")
		out = append(out, name)
	}
	slices.Sort(out)
	return slices.Compact(out)
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
	given, err := canon.Encode(tree)
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
