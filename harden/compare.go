package harden

import (
	"errors"
	"fmt"
	"strings"

	"github.com/immure-dev/immure/harden/order"
)

// An Excess is one facet in which a boundary goes beyond its limit.
type Excess struct {
	Facet string `json:"facet"`
	// Got is what goes beyond, Limit what the limit says of the facet.
	Got   string `json:"got"`
	Limit string `json:"limit"`
}

func (e Excess) String() string { return fmt.Sprintf("%s: got %s, limit %s", e.Facet, e.Got, e.Limit) }

// Over lists where b permits what limit forbids, in facet order. It is empty
// exactly when b is within limit. A facet that either does not state is an
// excess.
func (b Boundary) Over(limit Boundary) []Excess {
	var all []Excess
	for _, f := range facets {
		if e, ok := f.excess(&b, &limit); ok {
			all = append(all, e)
		}
	}
	return all
}

// OverIn is [Boundary.Over] for one facet. An unknown name is an excess.
func (b Boundary) OverIn(name string, limit Boundary) (Excess, bool) {
	f, ok := find(name)
	if !ok {
		return Excess{Facet: name, Got: "no such facet", Limit: "none"}, true
	}
	return f.excess(&b, &limit)
}

func (f facet) excess(b, limit *Boundary) (Excess, bool) {
	if err := f.check(limit); err != nil {
		return Excess{Facet: f.name, Got: shown(f.text(b)), Limit: err.Error()}, true
	}
	if err := f.check(b); err != nil {
		return Excess{Facet: f.name, Got: err.Error(), Limit: shown(f.text(limit))}, true
	}
	over := f.over(b, limit)
	if len(over) == 0 {
		return Excess{}, false // most are: no text is made for nobody
	}
	return Excess{Facet: f.name, Got: shown(strings.Join(over, ", ")), Limit: shown(f.text(limit))}, true
}

// Within reports whether b permits nothing that limit forbids.
func (b Boundary) Within(limit Boundary) bool { return len(b.Over(limit)) == 0 }

// Diff lists what b permits beyond a (looser) and a beyond b (tighter).
func Diff(a, b Boundary) (looser, tighter []Excess) { return b.Over(a), a.Over(b) }

// A ConflictError reports facets of two boundaries that nothing is within.
type ConflictError struct {
	Conflicts []Excess // never empty, in facet order; Got and Limit are the two sides
}

func (e *ConflictError) Error() string {
	c := e.Conflicts[0]
	msg := fmt.Sprintf("%s: %s and %s have nothing in common", c.Facet, c.Got, c.Limit)
	if more := len(e.Conflicts) - 1; more > 0 {
		msg += fmt.Sprintf(" (and %d more)", more)
	}
	return msg
}

// Meet returns the greatest boundary within both, or a [ConflictError] that
// names every facet where there is none.
func (b Boundary) Meet(c Boundary) (Boundary, error) {
	var out Boundary
	var conflicts []Excess
	for _, f := range facets {
		if err := f.meet(&b, &c, &out); err != nil {
			conflicts = append(conflicts, Excess{Facet: f.name, Got: f.text(&b), Limit: f.text(&c)})
		}
	}
	if conflicts != nil {
		return Boundary{}, &ConflictError{conflicts}
	}
	return out, nil
}

// Check reports the first facet that is not stated or malformed.
func (b Boundary) Check() error {
	for _, f := range facets {
		if err := f.check(&b); err != nil {
			return fmt.Errorf("%s: %w", f.name, err)
		}
	}
	return nil
}

// States reports whether b says something of the facet.
func (b Boundary) States(name string) bool {
	f, ok := find(name)
	return ok && !errors.Is(f.check(&b), order.ErrNotStated)
}

// Text returns what b says of one facet, for people.
func (b Boundary) Text(name string) string {
	f, ok := find(name)
	if !ok {
		return "no such facet"
	}
	return f.text(&b)
}

// Take copies one facet from another boundary.
func (b *Boundary) Take(name string, from Boundary) {
	if f, ok := find(name); ok {
		f.take(&from, b)
	}
}

func text(v any) string {
	if s, ok := v.(fmt.Stringer); ok {
		return s.String()
	}
	return fmt.Sprint(v)
}

// shown bounds a text to one line of a refusal.
func shown(s string) string {
	const most = 240
	if s == "" {
		return order.ErrNotStated.Error()
	}
	if len(s) > most {
		return strings.ToValidUTF8(s[:most], "") + "…"
	}
	return s
}
