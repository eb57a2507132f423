package profiles

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/immure-dev/immure/harden"
)

// Runtimes lists the runtimes whose floor was measured, as "runc 1.1.5".
func Runtimes() []string { return slices.Sorted(maps.Keys(data().floors)) }

// Floors returns the floor of every runtime that [Runtimes] lists: for a filter
// of which nobody knows yet which runtime will install it.
func Floors() ([]harden.SyscallRule, error) {
	var all []harden.SyscallRule
	for _, name := range Runtimes() {
		runtime, version, _ := strings.Cut(name, " ")
		rules, _, err := Floor(runtime, version)
		if err != nil {
			return nil, err
		}
		all = append(all, rules...)
	}
	return all, nil
}

// Floor returns what a runtime itself calls after it has installed the filter
// and before the service has taken its place, and how that was found out. What
// follows a "+" in the version, a distribution's mark, does not count.
//
// The floor is of containers with no-new-privileges: without it runc installs
// the filter earlier, while it still sets capabilities and users.
func Floor(runtime, version string) (rules []harden.SyscallRule, source string, err error) {
	plain, _, _ := strings.Cut(version, "+")
	c := data()
	f, ok := c.floors[runtime+" "+plain]
	if !ok {
		return nil, "", fmt.Errorf("get floor of %s %s: not measured; known are %s", runtime, version, strings.Join(Runtimes(), ", "))
	}
	if rules, err = c.union(f.Groups); err != nil {
		return nil, "", fmt.Errorf("get floor of %s %s: %w", runtime, version, err)
	}
	return append(rules, harden.SyscallRule{Names: slices.Clone(f.Calls), Action: harden.Allow}), f.Source, nil
}
