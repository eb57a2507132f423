package attest_test

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"testing"

	"github.com/immure-dev/immure/attest"
	"github.com/immure-dev/immure/attest/internal/sample"
	"github.com/immure-dev/immure/attest/keys"
)

var update = flag.Bool("update", false, "write the golden files anew")

// The bytes of a seal are a format. A change of this file means that no seal of
// before can be opened: it needs a new version of the predicate, once the first
// is released.
func TestSealBytes(t *testing.T) {
	path := filepath.Join("testdata", "seal.json")
	key := cosignKey(t)
	got := must[[]byte](t)(attest.Seal(sample.Predicate(1), treeDigest, key))
	if *update {
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want := must[[]byte](t)(os.ReadFile(path))
	if !bytes.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	if _, _, err := attest.NewOpener([]keys.PublicKey{key.Public()}).OpenSeal(want); err != nil {
		t.Error(err)
	}
}
