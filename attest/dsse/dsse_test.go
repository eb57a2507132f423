package dsse_test

import (
	"testing"

	"github.com/immure-dev/immure/attest/dsse"
	"github.com/immure-dev/immure/attest/keys"
)

// One key counts once, however often it is trusted and has signed.
func TestVerifyCountsKeys(t *testing.T) {
	var all []keys.PrivateKey
	for _, kind := range []keys.Kind{keys.ECDSA, keys.Ed25519, keys.Ed25519} {
		k, err := keys.Generate(kind)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, k)
	}
	a, b, c := all[0], all[1], all[2]
	again, err := keys.ParsePublic(a.Public().PEM())
	if err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		name    string
		signers []keys.PrivateKey
		trusted []keys.PublicKey
		want    int
	}{
		{"one", []keys.PrivateKey{a}, []keys.PublicKey{a.Public()}, 1},
		{"one key signed twice", []keys.PrivateKey{a, a}, []keys.PublicKey{a.Public(), b.Public()}, 1},
		{"one key trusted twice", []keys.PrivateKey{a}, []keys.PublicKey{a.Public(), again}, 1},
		{"two of three", []keys.PrivateKey{a, c}, []keys.PublicKey{a.Public(), b.Public(), c.Public()}, 2},
		{"another's", []keys.PrivateKey{b}, []keys.PublicKey{a.Public()}, 0},
		{"nobody is trusted", []keys.PrivateKey{a}, nil, 0},
	} {
		t.Run(tc.name, func(t *testing.T) {
			e, err := dsse.Sign([]byte("payload"), tc.signers...)
			if err != nil {
				t.Fatal(err)
			}
			if got := e.Verify(tc.trusted); len(got) != tc.want {
				t.Errorf("got %d keys, want %d", len(got), tc.want)
			}
			e.Payload = []byte("payloae")
			if got := e.Verify(tc.trusted); len(got) != 0 {
				t.Errorf("got %d keys for another payload", len(got))
			}
		})
	}
	if _, err := dsse.Sign([]byte("payload")); err == nil {
		t.Error("signed with no key")
	}
}
