package tree_test

import (
	"bytes"
	"encoding/hex"
	"testing"
)

func hexOf(s string) string { return hex.EncodeToString([]byte(s)) }

// FuzzCapability gives foreign values of security.capability: two that have one
// digest are one value, in the two revisions.
func FuzzCapability(f *testing.F) {
	for _, c := range capabilities {
		f.Add(unhex(c), unhex("010000030020000000000000000000000000000000000000"))
	}
	f.Fuzz(func(t *testing.T, a, b []byte) {
		if len(a) == 0 || len(b) == 0 {
			return
		}
		of := func(capability []byte) (string, error) {
			return digest(t, []node{
				{Path: "/", Type: "d", Mode: "755"},
				{Path: "/a", Type: "f", Mode: "755", Capability: hex.EncodeToString(capability)},
			}, nil)
		}
		da, errA := of(a)
		db, errB := of(b)
		if errA != nil || errB != nil {
			return
		}
		if same := bytes.Equal(asRevision3(a), asRevision3(b)); same != (da == db) {
			t.Errorf("%x and %x: same value %v, digests %s and %s", a, b, same, da, db)
		}
	})
}

// asRevision3 writes a value of revision 2 as the kernel understands it.
func asRevision3(c []byte) []byte {
	if len(c) != 20 {
		return c
	}
	c = append(bytes.Clone(c), 0, 0, 0, 0)
	c[3] = 3
	return c
}
