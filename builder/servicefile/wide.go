package servicefile

import (
	"fmt"
	"strings"
	"time"

	"github.com/immure-dev/immure/harden"
	"github.com/immure-dev/immure/harden/grant"
	"github.com/immure-dev/immure/harden/order"
	"github.com/immure-dev/immure/profiles"
)

// facetNames are all facets of the boundary.
var facetNames = harden.Facets()

// Wide lists the grants of one facet of b that are wildcards in effect or lead
// out of the container: the root of the file tree, more than 1024 ports, more
// destinations than a /8 (of IPv6: a /32) holds, a capability but
// CAP_NET_BIND_SERVICE, a call that no service needs, the root user, the host's
// own files and namespaces, a writable root file system, no no-new-privileges.
// Each needs a waiver. Ports and destinations that are too many only together
// are one grant: all of them, as the boundary writes them.
func Wide(facet string, b harden.Boundary) []string {
	switch facet {
	case "syscalls":
		if b.Syscalls.IsUnconfined() || b.Syscalls.Fallback().Permits() {
			return []string{order.Any}
		}
		return profiles.DangerousIn(b.Syscalls)
	case "capabilities.ambient":
		return wide(b.Capabilities.Ambient, wideCapability)
	case "capabilities.bounding":
		return wide(b.Capabilities.Bounding, wideCapability)
	case "capabilities.effective":
		return wide(b.Capabilities.Effective, wideCapability)
	case "capabilities.inheritable":
		return wide(b.Capabilities.Inheritable, wideCapability)
	case "capabilities.permitted":
		return wide(b.Capabilities.Permitted, wideCapability)
	case "user.uid":
		if b.User.UID.Covers(order.Only(0)) {
			return []string{b.User.UID.String()}
		}
	case "namespaces.ipc", "namespaces.mount", "namespaces.network", "namespaces.pid", "namespaces.uts":
		return only(b.Text(facet), "host")
	case "noNewPrivileges":
		return only(b.Text(facet), "off")
	case "rootfs":
		return only(b.Text(facet), "writable")
	case "mounts":
		return wide(b.Mounts, func(s grant.Slot) bool { return s.Kind == "bind" || s.Source == "/" || s.At == "/" })
	case "fileRights":
		return wide(b.FileRights, func(r grant.PathRight) bool { return strings.HasSuffix(r.String(), " /") })
	case "exec":
		return wide(b.Exec, wideCommand)
	case "network.listen":
		return together(b.Network.Listen, widePorts)
	case "network.connect":
		return together(b.Network.Connect, wideEndpoints)
	case "process.args":
		if wideCommand(grant.Command{Args: b.Process.Args}) {
			return []string{b.Process.Args.String()}
		}
	case "process.env":
		return wide(b.Process.Env, openName)
	}
	return nil
}

// openName reports a wildcard behind fewer than two characters of a name: a few
// of them would be every name.
func openName(e grant.Env) bool {
	begin, open := strings.CutSuffix(string(e), "*")
	return open && len(begin) < 2
}

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

// only is the value if it is the one that needs a waiver.
func only(value, wide string) []string {
	if value == wide {
		return []string{value}
	}
	return nil
}

// wideCapability is true of all but the one that binds ports below 1024, which
// Kubernetes' restricted Pod Security Standard lets anyone add.
func wideCapability(n grant.Name) bool { return n != "CAP_NET_BIND_SERVICE" }

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
	about := ""
	if why, ok := profiles.Dangerous(granted); ok && facet == "syscalls" {
		about = " (" + why + ")"
	}
	return fmt.Errorf("%s %q%s needs a waiver: narrow it, or add to waivers {facet: %s, grant: %q, reason: …, expires: …}", facet, granted, about, facet, granted)
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
		b.Syscalls = harden.NewSyscalls([]string{"x86_64"}, harden.KillProcess, harden.SyscallRule{Names: f.Syscalls, Action: harden.Allow})
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
