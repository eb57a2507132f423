package attest

import (
	"cmp"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/immure-dev/immure/harden"
)

// The most entries of a list and bytes of a text: far above what a service has,
// far below what would make reading one costly.
const (
	maxEntries   = 4096
	maxTextBytes = 4096
	maxNameBytes = 63
)

var (
	kinds          = []string{"server", "job"}
	immutabilities = []string{"fixed", "strict"}
	sources        = []string{"default", "observed", "profile", "rule"}
)

// Check reports the first thing in a predicate that is missing, malformed or
// out of order, and a service that is not within its envelope.
func (p Predicate) Check() error {
	if err := checkName(p.Name); err != nil {
		return err
	}
	switch {
	case p.Epoch < 1 || p.Epoch > MaxEpoch:
		return fmt.Errorf("epoch %d is not between 1 and %d", p.Epoch, int64(MaxEpoch))
	case !slices.Contains(kinds, p.Kind):
		return fmt.Errorf("kind %q is none of %q", p.Kind, kinds)
	case !slices.Contains(immutabilities, p.Immutability):
		return fmt.Errorf("immutability %q is none of %q", p.Immutability, immutabilities)
	}
	if err := (harden.Pair{Envelope: p.Envelope, Service: p.Service}).Check(); err != nil {
		return err
	}
	return cmp.Or(
		checkList("waivers", p.Waivers, Waiver.compare, Waiver.check),
		p.checkStates(),
		checkList("origins", p.Origins, Origin.compare, Origin.check),
		checkList("unenforced", p.Unenforced, Unenforced.compare, Unenforced.check),
	)
}

// checkList reports a list that is absent, too long, or not strictly ascending.
func checkList[T any](name string, list []T, compare func(a, b T) int, check func(T) error) error {
	if list == nil {
		return fmt.Errorf("%s: not stated", name)
	}
	if len(list) > maxEntries {
		return fmt.Errorf("%s: more than %d entries", name, maxEntries)
	}
	for i, e := range list {
		if err := check(e); err != nil {
			return fmt.Errorf("%s: entry %d: %w", name, i+1, err)
		}
		if i > 0 && compare(list[i-1], e) >= 0 {
			return fmt.Errorf("%s: entry %d is repeated or out of order", name, i+1)
		}
	}
	return nil
}

func (p Predicate) checkStates() error {
	if err := checkList("states", p.States, State.compare, State.check); err != nil {
		return err
	}
	i := slices.IndexFunc(p.States, func(s State) bool { return s.Name == DefaultState })
	if i < 0 {
		return fmt.Errorf("states: no state %q", DefaultState)
	}
	digest, err := p.Service.Digest()
	if err != nil {
		return err
	}
	if s := p.States[i]; s.Boundary != digest || s.Context != AnyContext {
		return fmt.Errorf("states: %q is %s in context %q, want the service boundary %s in context %q", DefaultState, s.Boundary, s.Context, digest, AnyContext)
	}
	return nil
}

func (w Waiver) check() error {
	if _, err := w.End(); err != nil {
		return err
	}
	return cmp.Or(checkFacet(w.Facet), checkText("grant", w.Grant), checkText("reason", w.Reason))
}

// End is the time from which the waiver no longer holds.
func (w Waiver) End() (time.Time, error) {
	t, err := time.Parse(time.RFC3339, w.Expires)
	if err != nil || t.UTC().Format("2006-01-02T15:04:05Z") != w.Expires {
		return time.Time{}, fmt.Errorf("waiver for %s: expires %q: write a time in UTC as 2006-01-02T15:04:05Z", w.Facet, w.Expires)
	}
	return t.UTC(), nil
}

func (s State) check() error {
	if hex, ok := strings.CutPrefix(s.Boundary, "sha256:"); !ok || !isHex(hex, 64) {
		return fmt.Errorf("state %q: boundary %q is no sha256 digest", s.Name, s.Boundary)
	}
	return cmp.Or(checkText("name", s.Name), checkText("context", s.Context))
}

func (o Origin) check() error {
	source, detail, found := strings.Cut(o.From, ":")
	if o.From != "stated" && (!found || detail == "" || !slices.Contains(sources, source)) {
		return fmt.Errorf("origin %q is not \"stated\" nor one of %q with a colon and a name", o.From, sources)
	}
	if o.Boundary != "service" && o.Boundary != "envelope" {
		return fmt.Errorf("origin %q: boundary %q is neither \"service\" nor \"envelope\"", o.From, o.Boundary)
	}
	if err := checkText("origin", o.From); err != nil {
		return err
	}
	if o.Facet == AnyFacet {
		if len(o.Grants) > 0 {
			return fmt.Errorf("origin %q of any facet names grants", o.From)
		}
	} else if err := checkFacet(o.Facet); err != nil {
		return err
	}
	return checkGrants(o.Grants)
}

func checkGrants(grants []string) error {
	return checkList("grants", grants, cmp.Compare, func(s string) error { return checkText("grant", s) })
}

func (u Unenforced) check() error {
	return cmp.Or(checkFacet(u.Facet), checkText("by", u.By), checkGrants(u.Grants))
}

func checkFacet(name string) error {
	if !slices.Contains(harden.Facets(), name) {
		return fmt.Errorf("facet %q is none of this version", name)
	}
	return nil
}

// checkText refuses what could not be shown to a person on one line.
func checkText(what, s string) error {
	switch {
	case s == "":
		return fmt.Errorf("%s is empty", what)
	case len(s) > maxTextBytes:
		return fmt.Errorf("%s is longer than %d bytes", what, maxTextBytes)
	case !utf8.ValidString(s) || strings.ContainsFunc(s, misleading):
		return fmt.Errorf("%s %q is not one line of text", what, s)
	}
	return nil
}

// misleading reports a character that changes how the text around it is shown.
func misleading(r rune) bool {
	return unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r)
}

func checkName(s string) error {
	const letters = "abcdefghijklmnopqrstuvwxyz0123456789"
	if s == "" {
		return errors.New("name: not stated")
	}
	if len(s) > maxNameBytes || strings.Trim(s, letters+"-") != "" || s[0] == '-' || s[len(s)-1] == '-' {
		return fmt.Errorf("name %q: use at most %d lower-case letters, digits and inner hyphens", s, maxNameBytes)
	}
	return nil
}

// isHex reports whether s is n lower-case hexadecimal digits.
func isHex(s string, n int) bool {
	_, err := hex.DecodeString(s)
	return err == nil && len(s) == n && strings.ToLower(s) == s
}
