package builder

import (
	"path"
	"slices"
	"strings"

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
	rights = folded(covering(append(rights, from.rights...)))
	stated := make([]string, 0, len(c.file.Files.Read)+len(c.file.Files.Execute))
	for _, p := range c.file.Files.Read {
		stated = append(stated, "read "+p)
	}
	for _, p := range c.file.Files.Execute {
		stated = append(stated, "execute "+p)
	}
	c.origins.add("fileRights", "stated", stated...)
	for _, r := range rights {
		if !c.b.FileRights.Covers(r) {
			c.origins.add("fileRights", "rule:files", r.String())
		}
	}
	c.b.FileRights = order.Of(covering(append(c.b.FileRights.Members(), rights...))...)
}

// maxRights is how many rights are told one by one. A seal has little room.
const maxRights = 64

// folded replaces rights on single files by one on their directory, the fullest
// first, until there are few enough. As an image holds only files that are
// kept, a directory of it grants what its files would. Rights that make or
// change something stay as they are, and nothing is folded into the root.
func folded(rights []grant.PathRight) []grant.PathRight {
	for len(rights) > maxRights {
		byDir := make(map[grant.PathRight]int)
		var fullest grant.PathRight
		for _, r := range rights {
			right, at, _ := strings.Cut(string(r), " ")
			dir := path.Dir(at)
			if (right != "read" && right != "execute") || dir == "/" {
				continue
			}
			to := grant.PathRight(right + " " + dir)
			if byDir[to]++; byDir[to] > byDir[fullest] || (byDir[to] == byDir[fullest] && to < fullest) {
				fullest = to
			}
		}
		if fullest == "" {
			return rights
		}
		rights = covering(append(rights, fullest))
	}
	return rights
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
