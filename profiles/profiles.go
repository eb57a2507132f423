package profiles

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/immure-dev/immure/harden"
)

// A Profile is a named starting boundary.
type Profile struct {
	Name    string
	Summary string
	// Kind is "server" or "job", as of [Base].
	Kind string
	// Sources say how the system calls were found.
	Sources []string
	// Groups name the groups of system calls, as of [Group].
	Groups []string
	// Boundary states every facet: [Base] of the kind with the profile's system
	// calls. It names no user, file, port or argument; those are the service's.
	Boundary harden.Boundary
}

// Names returns the names of all profiles, sorted.
func Names() []string { return slices.Sorted(maps.Keys(data().profiles)) }

// Get returns a profile for x86_64. The error for an unknown name lists the
// names.
func Get(name string) (Profile, error) { return GetFor(name, "x86_64") }

// GetFor returns a profile for an architecture as system call policies name it:
// "x86_64", where the calls were traced, or "aarch64", where they are the same
// without those that it does not have, and were not traced.
func GetFor(name, arch string) (Profile, error) {
	c := data()
	l, ok := c.profiles[name]
	if !ok {
		return Profile{}, fmt.Errorf("get profile %q: there is none of that name; choose one of %s", name, strings.Join(Names(), ", "))
	}
	rules, err := c.union(l.Groups)
	if err != nil {
		return Profile{}, fmt.Errorf("get profile %q: %w", name, err)
	}
	switch arch {
	case "x86_64":
	case "aarch64":
		rules = without(rules, c.notAarch64)
	default:
		return Profile{}, fmt.Errorf("get profile %q: no calls are known for architecture %q; choose x86_64 or aarch64", name, arch)
	}
	p := Profile{Name: name, Summary: l.Summary, Kind: l.Kind, Sources: slices.Clone(l.Sources), Groups: slices.Clone(l.Groups), Boundary: Base(l.Kind)}
	p.Boundary.Syscalls = harden.NewSyscalls([]string{arch}, harden.Errno(eperm), rules...)
	return p, nil
}

// Group returns the rules of one group of system calls for x86_64, why the
// calls are needed, and the sources. The error for an unknown name lists the
// names.
func Group(name string) (rules []harden.SyscallRule, why string, sources []string, err error) {
	c := data()
	g, ok := c.groups[name]
	if !ok {
		names := slices.Sorted(maps.Keys(c.groups))
		return nil, "", nil, fmt.Errorf("get group of system calls %q: there is none of that name; choose one of %s", name, strings.Join(names, ", "))
	}
	rules, err = c.rules(name)
	return rules, g.Why, slices.Clone(g.Sources), err
}

// without drops calls by name.
func without(rules []harden.SyscallRule, names []string) []harden.SyscallRule {
	out := make([]harden.SyscallRule, 0, len(rules))
	for _, r := range rules {
		r.Names = slices.DeleteFunc(slices.Clone(r.Names), func(n string) bool { return slices.Contains(names, n) })
		out = append(out, r)
	}
	return out
}
