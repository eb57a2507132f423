package servicefile

import (
	"fmt"
	"slices"
	"strings"

	"github.com/immure-dev/immure/harden/grant"
	"github.com/immure-dev/immure/harden/order"
	"github.com/immure-dev/immure/profiles"
)

// profile reads the name of a profile that there is.
func (d *decoder) profile(n *node, p string) (string, bool) {
	s, ok := d.text(n, p)
	if ok && !slices.Contains(profiles.Names(), s) {
		d.add(n.at, "%s: there is no profile %q: choose one of %s", p, s, strings.Join(profiles.Names(), ", "))
		return "", false
	}
	return s, ok
}

// known refuses a name that the kernel does not have: a runtime would drop it
// without a word, or refuse to start.
func known(what, s string, names []string) (grant.Name, error) {
	if slices.Contains(names, s) {
		return grant.Name(s), nil
	}
	return "", fmt.Errorf("%q is no %s of x86_64 Linux%s", s, what, didYouMean(s, names))
}

// all is how the kernel's tools write every capability.
const all = "ALL"

func (d *decoder) capabilities(n *node, p string, f *File) {
	names := profiles.Capabilities()
	set := grants(d, n, p, func(s string) (grant.Name, error) {
		if s == all {
			return all, nil
		}
		if long := "CAP_" + strings.ToUpper(s); slices.Contains(names, long) || slices.Contains(names, strings.ToUpper(s)) && s != strings.ToUpper(s) {
			return "", fmt.Errorf("%q is no capability: write the kernel's name, as %s", s, "CAP_"+strings.TrimPrefix(strings.ToUpper(s), "CAP_"))
		}
		return known("capability", s, names)
	})
	if set.Covers(all) {
		set = order.AnySet[grant.Name]()
	}
	c := &f.Stated.Capabilities
	c.Bounding, c.Effective, c.Permitted = set, set, set
	// Only through the ambient set, which must be inheritable too, does a
	// program of another user than root have them. Source: capabilities(7).
	c.Ambient, c.Inheritable = set, set
}

func (d *decoder) syscalls(n *node, p string, f *File) {
	calls := profiles.Calls()
	names := grants(d, n, p, func(s string) (grant.Name, error) { return known("system call", s, calls) })
	if names.IsAny() {
		f.Syscalls = []string{order.Any}
		return
	}
	for _, s := range names.Members() {
		f.Syscalls = append(f.Syscalls, string(s))
	}
}
