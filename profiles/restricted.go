package profiles

import (
	"fmt"
	"slices"
	"strings"

	"github.com/immure-dev/immure/harden"
	"github.com/immure-dev/immure/harden/grant"
	"github.com/immure-dev/immure/harden/order"
)

// bindService is the one capability that a restricted request may add.
const bindService = grant.Name("CAP_NET_BIND_SERVICE")

// unprivileged reports the facets in which a service is more than what
// Kubernetes' restricted Pod Security Standard admits. A facet that is not
// stated is none of its business. The writable root is refused for our own
// reason: the files are what was signed.
//
// Source: kubernetes.io, Pod Security Standards, Baseline (host namespaces,
// hostPath volumes) and Restricted (capabilities, running as non-root user,
// privilege escalation).
func unprivileged(b harden.Boundary) error {
	var over []string
	refuse := func(facet, value string) { over = append(over, facet+" "+value) }
	c := b.Capabilities
	for _, set := range []order.Set[grant.Name]{c.Ambient, c.Bounding, c.Effective, c.Inheritable, c.Permitted} {
		if set.IsAny() {
			refuse("capabilities", order.Any)
		}
		for _, name := range set.Members() {
			if name != bindService {
				refuse("capabilities", string(name))
			}
		}
	}
	if b.NoNewPrivileges == "off" {
		refuse("noNewPrivileges", "off")
	}
	if b.User.UID.Covers(order.Only(0)) {
		refuse("user.uid", b.User.UID.String())
	}
	n := b.Namespaces
	for _, c := range []struct {
		name  string
		level order.Level
	}{{"ipc", n.IPC}, {"mount", n.Mount}, {"network", n.Network}, {"pid", n.PID}, {"uts", n.UTS}} {
		if c.level == "host" {
			refuse("namespaces."+c.name, "host")
		}
	}
	if b.Rootfs == "writable" {
		refuse("rootfs", "writable")
	}
	if b.Mounts.IsAny() {
		refuse("mounts", order.Any)
	}
	for _, s := range b.Mounts.Members() {
		if s.Kind == "bind" {
			refuse("mounts", s.String())
		}
	}
	if len(over) == 0 {
		return nil
	}
	slices.Sort(over)
	return fmt.Errorf("more than a restricted request has: %s: leave it out, write envelope: strict, or state these facets in the envelope, with a waiver where one is needed",
		strings.Join(slices.Compact(over), ", "))
}
