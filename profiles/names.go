package profiles

import (
	"slices"

	"github.com/immure-dev/immure/harden"
)

// names is data/names.json.
type names struct {
	Source       string   `json:"source"`
	Capabilities []string `json:"capabilities"`
	Calls        []string `json:"calls"`
}

// A danger is an entry of data/dangerous.json: calls that no service
// needs, for one reason.
type danger struct {
	Why string `json:"why"`
	// ByArguments says that profiles let the calls through for some arguments.
	ByArguments bool     `json:"byArguments"`
	Calls       []string `json:"calls"`
}

// Calls returns the names of all system calls of x86_64, sorted.
func Calls() []string { return slices.Clone(nameData().Calls) }

// Capabilities returns the kernel's names of all capabilities, by number.
func Capabilities() []string { return slices.Clone(nameData().Capabilities) }

// Dangerous tells what a call can do that no service needs, or that none needs
// with any argument: the kernel's rarely used and often broken parts, and
// everything that makes, enters or changes a boundary.
func Dangerous(call string) (why string, ok bool) {
	d, ok := dangerData()[call]
	return d.Why, ok
}

// DangerousIn returns the calls that a policy lets through although they are
// [Dangerous]: those that no service needs whatever the conditions, the others
// where there are none. They are sorted.
func DangerousIn(s harden.Syscalls) []string {
	var out []string
	for _, r := range s.Rules() {
		for _, call := range r.Names {
			d, ok := dangerData()[call]
			if ok && r.Action.Permits() && (!d.ByArguments || len(r.Args) == 0) {
				out = append(out, call)
			}
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}
