package oci

import (
	"slices"
	"strings"

	"github.com/immure-dev/immure/harden"
)

// inexpressible are the facets that no member of a config.json states: who
// holds them is the launcher, the gate, or the kernel read back.
var inexpressible = []string{
	"fileRights", "exec", "scopes.", "memoryProtection.", "landlock.", "network.", "process.executable", "runtime.digest",
}

// Facets are those that a config.json can express, in facet order.
func Facets() []string {
	return slices.DeleteFunc(harden.Facets(), func(name string) bool {
		return slices.ContainsFunc(inexpressible, func(no string) bool {
			return name == no || (strings.HasSuffix(no, ".") && strings.HasPrefix(name, no))
		})
	})
}
