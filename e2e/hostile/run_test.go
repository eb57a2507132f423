//go:build e2e

package hostile_test

import (
	"path/filepath"
	"testing"
)

// run runs a fixture's service, or what claims to be it, to its end, in a store
// of its own.
func run(tb testing.TB, f *fixture, ref string, more ...string) result {
	tb.Helper()
	return immure(tb, append([]string{"run", ref, "--key", f.public, "--store", filepath.Join(tb.TempDir(), "store")}, more...)...)
}
