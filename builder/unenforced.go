package builder

import (
	"fmt"

	"github.com/immure-dev/immure/builder/servicefile"
	"github.com/immure-dev/immure/harden"
	"github.com/immure-dev/immure/harden/order"
)

// unheld are facets that no mechanism of this version confines a service to,
// and what there is instead.
var unheld = []struct{ facet, top, by string }{
	{"fileRights", "", "no launcher and no AppArmor profile in force: the read-only root and the files' modes"},
	{"exec", "", "no gate: whoever may exec into the container"},
	{"scopes.abstractSockets", "any", "no launcher: the network namespace"},
	{"scopes.ptrace", "any", "no launcher: the system call filter and the pid namespace"},
	{"scopes.signals", "any", "no launcher: the pid namespace"},
	{"memoryProtection.writeExecute", "allowed", "no launcher: the system call filter where it looks at protections"},
	{"network.listen", "", "no launcher: a port that is not published cannot be reached from outside the network namespace"},
	{"network.connect", "", "no proxy and no packet filter: immure run gives a network namespace that leads nowhere, an engine one that leads wherever its network does"},
}

// unenforced lists the facets in which the boundary states something and
// nothing enforces it.
func unenforced(b harden.Boundary) []Unenforced {
	var out []Unenforced
	for _, u := range unheld {
		if text := b.Text(u.facet); text == order.Any || (u.top != "" && text == u.top) {
			continue // nothing is promised
		}
		out = append(out, Unenforced{Facet: u.facet, By: u.by})
	}
	return out
}

// envelopeOrigins says where the envelope came from.
func envelopeOrigins(f *servicefile.File, b harden.Boundary) []Origin {
	var o origins
	o.start(fmt.Sprintf("rule:%s", f.Envelope))
	for facet := range f.EnvelopeFacets {
		o.set(facet, "stated")
	}
	return o.list("envelope", b)
}
