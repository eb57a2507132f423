package servicefile

import (
	"fmt"
	"strings"
	"time"

	"github.com/immure-dev/immure/harden"
	"github.com/immure-dev/immure/harden/grant"
	"github.com/immure-dev/immure/harden/order"
)

// facetNames are all facets of the boundary.
var facetNames = harden.Facets()

// maxPorts is the widest range of ports that needs no waiver, minBits the
// shortest prefix of a destination block.
const (
	maxPorts = 1024
	minBits  = 8
)

// Wide lists the grants of one facet of b that are wildcards in effect: the
// root of the file tree, more than 1024 ports in one range, a block larger than
// a /8, every capability, every call, the root user, the host's own files. Each
// needs a waiver.
func Wide(facet string, b harden.Boundary) []string {
	switch facet {
	case "syscalls":
		if b.Syscalls.IsUnconfined() || b.Syscalls.Fallback().Permits() {
			return []string{order.Any}
		}
	case "capabilities.ambient":
		return wide(b.Capabilities.Ambient, none[grant.Name])
	case "capabilities.bounding":
		return wide(b.Capabilities.Bounding, none[grant.Name])
	case "capabilities.effective":
		return wide(b.Capabilities.Effective, none[grant.Name])
	case "capabilities.inheritable":
		return wide(b.Capabilities.Inheritable, none[grant.Name])
	case "capabilities.permitted":
		return wide(b.Capabilities.Permitted, none[grant.Name])
	case "user.uid":
		if b.User.UID.Covers(order.Only(0)) {
			return []string{b.User.UID.String()}
		}
	case "mounts":
		return wide(b.Mounts, func(s grant.Slot) bool { return s.Source == "/" || s.At == "/" })
	case "fileRights":
		return wide(b.FileRights, func(r grant.PathRight) bool { return strings.HasSuffix(r.String(), " /") })
	case "exec":
		return wide(b.Exec, wideCommand)
	case "network.listen":
		return wide(b.Network.Listen, widePort)
	case "network.connect":
		return wide(b.Network.Connect, wideEndpoint)
	case "process.args":
		if wideCommand(grant.Command{Args: b.Process.Args}) {
			return []string{b.Process.Args.String()}
		}
	case "process.env":
		return wide(b.Process.Env, func(e grant.Env) bool { return e == "*" })
	}
	return nil
}

func none[E any](E) bool { return false }

func wide[E order.Element[E]](s order.Set[E], is func(E) bool) []string {
	if s.IsAny() {
		return []string{order.Any}
	}
	var out []string
	for _, e := range s.Members() {
		if is(e) {
			out = append(out, e.String())
		}
	}
	return out
}

func widePort(p grant.Port) bool {
	lo, hi, _, err := p.Span()
	return err == nil && int(hi)-int(lo) >= maxPorts
}

func wideEndpoint(e grant.Endpoint) bool {
	host, block, port, err := e.Split()
	return err == nil && (host == "*" || widePort(port) || (block.IsValid() && block.Bits() < minBits))
}

func wideCommand(c grant.Command) bool {
	p := c.Args.Patterns()
	return c.Args.String() == order.Any || (len(p) > 0 && p[0] == "*")
}

// Covers reports whether the waiver is for the grant of the facet.
func (w Waiver) Covers(facet, granted string) bool {
	return facetIn(facet, w.Facet) && w.Grant == granted
}

// Waiver returns the waiver for a grant that needs one.
func (f *File) Waiver(facet, granted string) (Waiver, bool) {
	for _, w := range f.Waivers {
		if w.Covers(facet, granted) {
			return w, true
		}
	}
	return Waiver{}, false
}

// ErrWaiver tells which waiver is missing for a grant.
func ErrWaiver(facet, granted string) error {
	return fmt.Errorf("%s %q needs a waiver: narrow it, or add to waivers {facet: %s, grant: %q, reason: …, expires: …}", facet, granted, facet, granted)
}

// CheckWaivers reports each facet that the file states too widely without a
// waiver, and each waiver that has expired at the time now. The error is an
// [*Error].
func (f *File) CheckWaivers(now time.Time) error {
	p := problems{file: f.name}
	for _, w := range f.Waivers {
		if !w.Expires.After(now) {
			p.add(w.at, "waiver for %s %q expired on %s", w.Facet, w.Grant, w.Expires.Format(time.RFC3339))
		}
	}
	seen := make(map[string]bool)
	for _, facet := range facetNames {
		for _, g := range Wide(facet, f.wideBoundary()) {
			if _, ok := f.Waiver(facet, g); ok {
				continue
			}
			group, _, _ := strings.Cut(facet, ".")
			if group != "capabilities" {
				group = facet
			}
			if !seen[group+g] {
				p.add(f.at[keyOf[group]], "%v", ErrWaiver(group, g))
			}
			seen[group+g] = true
		}
	}
	return p.err()
}

// wideBoundary is what the file states, as the facets to be judged.
func (f *File) wideBoundary() harden.Boundary {
	b := f.Stated
	for _, r := range append(rights("read", f.Files.Read), rights("execute", f.Files.Execute)...) {
		b.FileRights = order.Of(append(b.FileRights.Members(), r)...)
	}
	if len(f.Syscalls) == 1 && f.Syscalls[0] == order.Any {
		b.Syscalls = harden.Unconfined()
	} else {
		b.Syscalls = harden.NewSyscalls([]string{"x86_64"}, harden.KillProcess)
	}
	return b
}

func rights(right string, paths []string) []grant.PathRight {
	var out []grant.PathRight
	for _, p := range paths {
		out = append(out, grant.PathRight(right+" "+p))
	}
	return out
}

// keyOf says which key states a facet, or a group of them.
var keyOf = map[string]string{
	"capabilities": "boundary.capabilities", "exec": "boundary.exec", "fileRights": "boundary.files", "mounts": "boundary.mounts",
	"network.connect": "boundary.connect", "network.listen": "boundary.listen", "process.args": "run.args", "process.env": "run.env",
	"syscalls": "boundary.syscalls", "user.uid": "run.user",
}
