package verify

import (
	"fmt"
	"maps"
	"slices"

	"github.com/immure-dev/immure/harden"
)

// A Refusal is one reason why something may not run.
type Refusal struct {
	// Facet is the name of a boundary's facet, or "unknown" for what no facet
	// covers.
	Facet string `json:"facet"`
	// Found is what was asked for or seen, Signed what the boundary allows.
	Found  string `json:"found"`
	Signed string `json:"signed"`
	// Mend says what to do about it, in one line.
	Mend string `json:"mend"`
}

func (r Refusal) String() string {
	return fmt.Sprintf("%s: found %s, signed %s; %s", r.Facet, r.Found, r.Signed, r.Mend)
}

// A Left is a facet that the form cannot express, and who judges it instead.
type Left struct {
	Facet string `json:"facet"`
	To    string `json:"to"`
}

// A Decision is what Decide found. It is allowed only when nothing refuses.
type Decision struct {
	Form     string    `json:"form"`
	Allowed  bool      `json:"allowed"`
	Refusals []Refusal `json:"refusals"`
	Left     []Left    `json:"left"`
}

// Decide judges a reading against the boundary that was signed for its kind of
// door: the envelope for a request, the service for what runs. It reports
// every refusal, in facet order, then what no facet covers.
//
// A facet that the form can express but that the reading does not state is a
// refusal. A form that expresses nothing is refused as a whole.
func Decide(signed harden.Boundary, r harden.Reading) Decision {
	d := Decision{Form: r.Form, Refusals: []Refusal{}, Left: []Left{}}
	judged := 0
	for _, name := range harden.Facets() {
		if !slices.Contains(r.Facets, name) {
			d.Left = append(d.Left, Left{Facet: name, To: heldBy(name)})
			continue
		}
		judged++
		if why, ok := r.Unread[name]; ok {
			d.refuse(name, "unreadable: "+why, signed.Text(name), "mend the "+r.Form)
			continue
		}
		if e, over := r.Boundary.OverIn(name, signed); over {
			d.refuse(name, e.Got, e.Limit, mend(name))
		}
	}
	if judged == 0 {
		d.refuse("unknown", "nothing that could be judged", "a boundary", "give a form that states facets of a boundary")
	}
	for _, name := range slices.Sorted(maps.Keys(r.Unread)) {
		if !slices.Contains(r.Facets, name) {
			d.refuse(name, "unreadable: "+r.Unread[name], signed.Text(name), "mend the "+r.Form)
		}
	}
	for _, what := range r.Foreign {
		d.refuse("unknown", what, "nothing of the kind", "leave it out: no facet of the boundary covers it")
	}
	d.Allowed = len(d.Refusals) == 0
	return d
}

func (d *Decision) refuse(facet, found, signed, mend string) {
	d.Refusals = append(d.Refusals, Refusal{Facet: facet, Found: found, Signed: signed, Mend: mend})
}

// A RefusedError carries the refusals of a decision, or of a check made before
// it: the image's signature, its content, its declarations.
type RefusedError struct {
	Refusals []Refusal // never empty
}

func (e *RefusedError) Error() string {
	msg := e.Refusals[0].String()
	if more := len(e.Refusals) - 1; more > 0 {
		msg += fmt.Sprintf(" (and %d more)", more)
	}
	return msg
}

// Refuse is the error of one refusal.
func Refuse(facet, found, signed, mend string) error {
	return &RefusedError{[]Refusal{{Facet: facet, Found: found, Signed: signed, Mend: mend}}}
}
