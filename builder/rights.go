package builder

import (
	"slices"

	"github.com/immure-dev/immure/harden/grant"
	"github.com/immure-dev/immure/harden/order"
)

// rights are what the mounts and the kept files need.
func (c *composer) rights(from found) {
	var rights []grant.PathRight
	for _, s := range c.b.Mounts.Members() {
		for _, right := range slotRights(s) {
			rights = append(rights, grant.PathRight(right+" "+s.At))
		}
	}
	if c.b.Network.Connect.IsAny() || len(c.b.Network.Connect.Members()) > 0 {
		// What resolvers read, and engines mount.
		rights = append(rights, "read /etc/hosts", "read /etc/resolv.conf")
	}
	if c.b.FileRights.IsAny() {
		return
	}
	rights = covering(append(rights, from.rights...))
	for _, r := range rights {
		if !c.b.FileRights.Covers(r) {
			c.origins.add("fileRights", "rule:files", r.String())
		}
	}
	c.b.FileRights = order.Of(covering(append(c.b.FileRights.Members(), rights...))...)
}

// slotRights are the rights that a mount is there for.
func slotRights(s grant.Slot) []string {
	switch {
	case s.Kind == "proc" || s.Kind == "sysfs":
		return []string{"read"}
	case s.At == "/dev" || s.Kind == "devpts":
		return []string{"read", "write"} // of devices: none can be made
	case slices.Contains(s.Flags, "ro"):
		return []string{"read"}
	}
	return []string{"create", "read", "write"}
}

// covering drops rights that another one covers.
func covering(rights []grant.PathRight) []grant.PathRight {
	rights = order.Of(rights...).Members()
	var out []grant.PathRight
	for i, r := range rights {
		if !slices.ContainsFunc(rights[:i], func(q grant.PathRight) bool { return q.Covers(r) }) {
			out = append(out, r)
		}
	}
	return out
}
