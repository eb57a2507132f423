package order

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/immure-dev/immure/harden/canon"
)

// An Element is one grant of a [Set].
type Element[E any] interface {
	// Covers reports whether the receiver permits all that its argument does.
	Covers(E) bool
	// Common returns the greatest element that both cover, if there is one.
	Common(E) (E, bool)
	// Check reports an element that is not well formed.
	Check() error
	// String is unique to the element, and its place in the canonical order.
	String() string
}

// A Set is a set of grants, or "any". One set is within another when each of
// its elements is covered by an element there. The zero value is not stated;
// the empty set, which grants nothing, is Of().
type Set[E Element[E]] struct {
	any     bool
	members []E // nil: not stated
}

// Of is the set of the given elements, sorted and without repetition.
func Of[E Element[E]](elements ...E) Set[E] {
	type placed struct {
		at string
		e  E
	}
	list := make([]placed, len(elements))
	for i, e := range elements {
		list[i] = placed{e.String(), e}
	}
	slices.SortStableFunc(list, func(a, b placed) int { return strings.Compare(a.at, b.at) })
	list = slices.CompactFunc(list, func(a, b placed) bool { return a.at == b.at })
	s := Set[E]{members: make([]E, len(list))}
	for i, p := range list {
		s.members[i] = p.e
	}
	return s
}

// AnySet is the top of the order.
func AnySet[E Element[E]]() Set[E] { return Set[E]{any: true} }

// IsAny reports whether s is the top.
func (s Set[E]) IsAny() bool { return s.any }

// Members returns the elements in canonical order; none for "any".
func (s Set[E]) Members() []E { return slices.Clone(s.members) }

// With returns s and the given elements. "any" and a set that is not stated
// stay what they are.
func (s Set[E]) With(elements ...E) Set[E] {
	if s.any || s.members == nil {
		return s
	}
	return Of(append(s.Members(), elements...)...)
}

// Covers reports whether one element of s covers e.
func (s Set[E]) Covers(e E) bool {
	return s.any || slices.ContainsFunc(s.members, func(m E) bool { return m.Covers(e) })
}

// Check reports a set that is not stated and the first malformed element.
func (s Set[E]) Check() error {
	if !s.any && s.members == nil {
		return ErrNotStated
	}
	for _, m := range s.members {
		if err := m.Check(); err != nil {
			return err
		}
	}
	return nil
}

// Over lists the elements of s that limit does not cover.
func (s Set[E]) Over(limit Set[E]) []string {
	if limit.any {
		return nil
	}
	if s.any {
		return []string{Any}
	}
	var over []string
	for _, m := range s.members {
		if !limit.Covers(m) {
			over = append(over, m.String())
		}
	}
	return over
}

// Meet returns what both sets permit. It may be empty, and is never a conflict.
func (s Set[E]) Meet(t Set[E]) (Set[E], error) {
	if s.any {
		return t, nil
	}
	if t.any {
		return s, nil
	}
	var common []E
	for _, a := range s.members {
		for _, b := range t.members {
			if c, ok := a.Common(b); ok {
				common = append(common, c)
			}
		}
	}
	return Of(common...), nil
}

func (s Set[E]) String() string {
	switch {
	case s.members == nil && !s.any:
		return ErrNotStated.Error()
	case len(s.members) == 0 && !s.any:
		return string(None)
	}
	return strings.Join(s.Grants(), ", ")
}

// Grants lists the elements as texts, or "any".
func (s Set[E]) Grants() []string {
	if s.any {
		return []string{Any}
	}
	texts := make([]string, len(s.members))
	for i, m := range s.members {
		texts[i] = m.String()
	}
	return texts
}

// MarshalJSON writes an array in canonical order, or "any".
func (s Set[E]) MarshalJSON() ([]byte, error) {
	if s.any {
		return []byte(`"any"`), nil
	}
	if s.members == nil {
		return nil, ErrNotStated
	}
	return json.Marshal(s.members)
}

// UnmarshalJSON reads what MarshalJSON writes.
func (s *Set[E]) UnmarshalJSON(data []byte) error {
	if decodeAny(data) {
		*s = AnySet[E]()
		return nil
	}
	var members []E
	if err := json.Unmarshal(data, &members); err != nil {
		return err
	}
	if members == nil {
		return fmt.Errorf("want an array or \"any\"")
	}
	*s = Of(members...)
	return nil
}

// AppendCanonical writes what MarshalJSON does. It implements [canon.Appender].
func (s Set[E]) AppendCanonical(out []byte) ([]byte, bool) {
	if s.any {
		return append(out, `"any"`...), true
	}
	return canon.Append(out, s.members)
}

// ReadCanonical reads what MarshalJSON writes. It implements [canon.Value].
func (s *Set[E]) ReadCanonical(r *canon.Reader) bool {
	if r.Is(`"any"`) {
		*s = AnySet[E]()
		return true
	}
	members, last := []E{}, ""
	ok := r.List(func() bool {
		var e E
		if !r.Into(&e) {
			return false
		}
		place := e.String()
		if len(members) > 0 && place <= last {
			return false
		}
		members, last = append(members, e), place
		return true
	})
	*s = Set[E]{members: members}
	return ok
}
