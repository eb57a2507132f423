package main

import (
	"context"
	"path/filepath"
	"testing"

	"github.com/immure-dev/immure/attest/keys"
)

func TestOpenSigner(t *testing.T) {
	path := filepath.Join(t.TempDir(), "test.key")
	key, err := keys.Generate(keys.ECDSA)
	if err != nil {
		t.Fatal(err)
	}
	if err := keys.WriteFiles(path, path+".pub", key, []byte("right"), false); err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		name, path, password string
		fails                bool
	}{
		{"the key", path, "right", false},
		{"a wrong password", path, "wrong", true},
		{"no such file", path + ".none", "right", true},
		{"no key", "", "right", false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Setenv(passwordVariable, tc.password)
			o, ctx := openSigner(t.Context(), tc.path)
			signer, err := o.wait()
			if (err != nil) != tc.fails || (signer != nil) != (tc.path != "" && !tc.fails) {
				t.Errorf("got %v, %v", signer, err)
			}
			if ended := ctx.Err() != nil; ended != tc.fails {
				t.Errorf("context ended: %v, want %v", ended, tc.fails)
			}
			o.close()
			if ctx.Err() != context.Canceled {
				t.Error("the context outlives its key")
			}
		})
	}
}
