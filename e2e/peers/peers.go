// Package peers finds the programs of other projects that end-to-end tests and
// benchmarks run beside this one: the real cosign, the real ko.
//
// Each is built from a nested module of its own (see README.md), so that what
// it links never enters the module graph of this project. The package holds no
// wrappers: a test states the whole command line, for that is what it is about.
package peers

import (
	"os"
	"path/filepath"
	"testing"
)

// Program returns the path of the peer called name, "cosign" or "ko", as
// `make peers` left it in bin/peers. It fails the test when it is not there: a
// comparison with a program that did not run is no comparison.
func Program(tb testing.TB, name string) string {
	tb.Helper()
	dir, err := os.Getwd()
	if err != nil {
		tb.Fatal(err)
	}
	for ; ; dir = filepath.Dir(dir) {
		path := filepath.Join(dir, "bin", "peers", name)
		if info, err := os.Stat(path); err == nil && info.Mode().IsRegular() {
			return path
		}
		if dir == filepath.Dir(dir) {
			tb.Fatalf("find peer %q: no bin/peers/%s here or above: run make peers", name, name)
		}
	}
}
