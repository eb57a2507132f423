package attest

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/immure-dev/immure/harden"
)

// PredicateType names version 1 of the predicate.
const PredicateType = "https://github.com/immure-dev/immure/boundary/v1"

// MaxEpoch is the highest epoch: numbers in canonical JSON are exact to 2^53-1.
const MaxEpoch = 1<<53 - 1

// A Predicate is what a statement says of an image. Every member is always
// written. Lists are sorted and without repetition; [Predicate.Complete] makes
// them so.
type Predicate struct {
	// Envelope is the widest request from which Service is reached.
	Envelope harden.Boundary `json:"envelope"`
	// Epoch is from 1 to [MaxEpoch]. Of two statements for one subject the one
	// of the higher epoch counts.
	Epoch int64 `json:"epoch"`
	// Immutability is "fixed" (scratch as stated) or "strict" (no scratch).
	Immutability string `json:"immutability"`
	// Kind is "server" or "job".
	Kind string `json:"kind"`
	// Launcher says that the image's first process builds walls of its own.
	Launcher bool `json:"launcher"`
	// Name is the service's: a DNS label (RFC 1123, section 2.1).
	Name string `json:"name"`
	// Origins say where each grant came from.
	Origins []Origin `json:"origins"`
	// Service must hold once the service runs, and is within Envelope.
	Service harden.Boundary `json:"service"`
	// States are the boundaries that a service may be moved between. "default"
	// is always one, and its boundary is Service.
	States []State `json:"states"`
	// Unenforced are grants and limits that are stated and held by no mechanism.
	Unenforced []Unenforced `json:"unenforced"`
	// Waivers are grants that need a reason.
	Waivers []Waiver `json:"waivers"`
}

// A Waiver is a reason to grant what is otherwise refused, with an end.
type Waiver struct {
	// Expires is a time in UTC, "2006-01-02T15:04:05Z" (RFC 3339).
	Expires string `json:"expires"`
	Facet   string `json:"facet"`
	Grant   string `json:"grant"`
	Reason  string `json:"reason"`
}

// A State is a boundary for a context.
type State struct {
	// Boundary is the digest of the boundary's canonical form, "sha256:…".
	Boundary string `json:"boundary"`
	// Context is when the state may be entered; "any" for the default.
	Context string `json:"context"`
	Name    string `json:"name"`
}

// An Origin says where grants of one facet came from. [Predicate.Why] reads
// them.
type Origin struct {
	// Boundary is "service" or "envelope".
	Boundary string `json:"boundary"`
	// Facet is a facet's name, or [AnyFacet] for all that no other origin of
	// the boundary names.
	Facet string `json:"facet"`
	// From is "stated", or one of "default", "observed", "profile" and "rule",
	// a colon and which: "profile:go-static".
	From string `json:"from"`
	// Grants are texts of the facet's grants. None stands for those that no
	// other origin of the facet lists; AnyFacet has none.
	Grants []string `json:"grants"`
}

// An Unenforced is something stated that nothing at hand enforces.
type Unenforced struct {
	// By names what does not enforce it: "no proxy resolves host names".
	By    string `json:"by"`
	Facet string `json:"facet"`
	// Grants are texts of the facet's grants; none stands for all of them, and
	// for the limit that the facet is.
	Grants []string `json:"grants"`
}

// AnyFacet is the facet of an origin of whatever other origins do not name.
const AnyFacet = "any"

// DefaultState and AnyContext are of the one state that is always there.
const (
	DefaultState = "default"
	AnyContext   = "any"
)

// Complete returns p with its lists sorted, origins of one source merged and
// told as briefly as can be, and the default state added where it is missing. It leaves the rest to
// [Predicate.Check].
func (p Predicate) Complete() (Predicate, error) {
	if !slices.ContainsFunc(p.States, func(s State) bool { return s.Name == DefaultState }) {
		digest, err := p.Service.Digest()
		if err != nil {
			return Predicate{}, fmt.Errorf("complete predicate: service: %w", err)
		}
		p.States = append(slices.Clone(p.States), State{Name: DefaultState, Context: AnyContext, Boundary: digest})
	}
	p.Waivers = sorted(p.Waivers, Waiver.compare)
	p.States = sorted(p.States, State.compare)
	p.Unenforced = sorted(p.Unenforced, Unenforced.compare)
	for i := range p.Unenforced {
		p.Unenforced[i].Grants = sorted(p.Unenforced[i].Grants, cmp.Compare)
	}
	p.Origins = p.briefly(merged(p.Origins))
	return p, nil
}

// sorted returns a copy that is never nil, in order and without repetition.
func sorted[T any](list []T, compare func(a, b T) int) []T {
	out := append(make([]T, 0, len(list)), list...)
	slices.SortStableFunc(out, compare)
	return slices.CompactFunc(out, func(a, b T) bool { return compare(a, b) == 0 })
}

func merged(list []Origin) []Origin {
	ordered := append(make([]Origin, 0, len(list)), list...)
	slices.SortStableFunc(ordered, Origin.compare)
	out := make([]Origin, 0, len(ordered))
	for _, o := range ordered {
		o.Grants = slices.Clone(o.Grants)
		if n := len(out); n > 0 && out[n-1].compare(o) == 0 {
			out[n-1].Grants = append(out[n-1].Grants, o.Grants...)
		} else {
			out = append(out, o)
		}
	}
	for i := range out {
		out[i].Grants = sorted(out[i].Grants, cmp.Compare)
	}
	return out
}

// compare orders waivers by all they say; a repetition says nothing new.
func (w Waiver) compare(v Waiver) int {
	return cmp.Or(cmp.Compare(w.Facet, v.Facet), cmp.Compare(w.Grant, v.Grant), cmp.Compare(w.Reason, v.Reason), cmp.Compare(w.Expires, v.Expires))
}

func (s State) compare(t State) int { return cmp.Compare(s.Name, t.Name) }

func (o Origin) compare(p Origin) int {
	return cmp.Or(cmp.Compare(o.Boundary, p.Boundary), cmp.Compare(o.Facet, p.Facet), cmp.Compare(o.From, p.From))
}

func (u Unenforced) compare(v Unenforced) int {
	return cmp.Or(cmp.Compare(u.Facet, v.Facet), cmp.Compare(u.By, v.By))
}
