package attest_test

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/immure-dev/immure/attest"
	"github.com/immure-dev/immure/attest/bundle"
	"github.com/immure-dev/immure/attest/dsse"
	"github.com/immure-dev/immure/attest/internal/sample"
	"github.com/immure-dev/immure/attest/keys"
	"github.com/immure-dev/immure/harden/canon"
)

var treeDigest = strings.Repeat("ab", 32)

func must[T any](t *testing.T) func(T, error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

func trust(keysOf ...keys.PrivateKey) []keys.PublicKey {
	var list []keys.PublicKey
	for _, k := range keysOf {
		list = append(list, k.Public())
	}
	return list
}

// wrap signs any payload with any type, as someone with the key could.
func wrap(t *testing.T, key keys.PrivateKey, payload []byte) []byte {
	t.Helper()
	e := must[dsse.Envelope](t)(dsse.Sign(payload, key))
	return must[[]byte](t)(bundle.Bundle{Envelope: e, Hint: key.Public().Hint()}.Encode())
}

// payload is the statement inside a bundle.
func payload(t *testing.T, data []byte) []byte {
	t.Helper()
	return must[bundle.Bundle](t)(bundle.DecodeEvidence(data)).Envelope.Payload
}

func TestSeal(t *testing.T) {
	for _, kind := range []keys.Kind{keys.ECDSA, keys.Ed25519} {
		t.Run(string(kind), func(t *testing.T) {
			key, p := sample.Key(kind), sample.Predicate(1)
			data := must[[]byte](t)(attest.Seal(p, treeDigest, key))
			again := must[[]byte](t)(attest.Seal(p, treeDigest, key))
			if !bytes.Equal(data, again) {
				t.Error("two seals of one image by one key differ")
			}
			got, digest, err := attest.NewOpener(trust(key)).OpenSeal(data)
			if err != nil {
				t.Fatal(err)
			}
			want, have := must[[]byte](t)(canon.Encode(p)), must[[]byte](t)(canon.Encode(got))
			if digest != treeDigest || !bytes.Equal(have, want) {
				t.Errorf("got %s for %s, want %s for %s", have, digest, want, treeDigest)
			}
		})
	}
}

func TestOpenSealRefuses(t *testing.T) {
	key, other := sample.Key(keys.ECDSA), sample.Key(keys.ECDSA)
	p := sample.Predicate(1)
	seal := must[[]byte](t)(attest.Seal(p, treeDigest, key))
	says := string(payload(t, seal))
	resigned := func(old, replacement string) []byte {
		t.Helper()
		if !strings.Contains(says, old) {
			t.Fatalf("the statement does not hold %s", old)
		}
		return wrap(t, key, []byte(strings.Replace(says, old, replacement, 1)))
	}
	var untrusted *attest.UntrustedError
	var decode *attest.DecodeError
	var version *attest.VersionError
	var foreign *attest.TypeError
	for _, tc := range []struct {
		name string
		data []byte
		want any
		text string
	}{
		{"another key", must[[]byte](t)(attest.Seal(p, treeDigest, other)), &untrusted, "not signed by a trusted key"},
		{"another key under the trusted one's hint", must[[]byte](t)(bundle.Bundle{
			Envelope: must[dsse.Envelope](t)(dsse.Sign([]byte(says), other)), Hint: key.Public().Hint(),
		}.Encode()), &untrusted, "changed or forged"},
		{"statement changed after signing", bytes.Replace(seal, []byte(base64.StdEncoding.EncodeToString([]byte(says))),
			[]byte(base64.StdEncoding.EncodeToString([]byte(strings.Replace(says, `"epoch":1`, `"epoch":2`, 1)))), 1), &untrusted, "changed or forged"},
		{"newer version", resigned("boundary/v1", "boundary/v2"), &version, "a newer immure is needed"},
		{"another predicate type", resigned(attest.PredicateType, "https://slsa.dev/provenance/v1"), &foreign, "slsa.dev"},
		{"no statement", wrap(t, key, []byte("hello")), &decode, "invalid character"},
		{"no JSON object", wrap(t, key, []byte("null")), &decode, "not a JSON object"},
		{"repeated member", resigned(`"_type":`, `"_type":"x","_type":`), &decode, "twice"},
		{"repeated member within", resigned(`"epoch":1`, `"epoch":1,"epoch":1`), &decode, "canonical"},
		{"other case", resigned(`"predicateType"`, `"PredicateType"`), &decode, "spelled"},
		{"other case within", resigned(`"epoch"`, `"Epoch"`), &decode, "canonical"},
		{"unknown member", resigned(`"epoch":1`, `"epoch":1,"extra":1`), &decode, "extra"},
		{"member left out", resigned(`"launcher":false,`, ``), &decode, "canonical"},
		{"list left out", resigned(`,"unenforced":[`, `,"x":[`), &decode, "unknown field"},
		{"list of null", resigned(says[strings.Index(says, `"waivers":`):strings.Index(says, `]},"predicateType"`)+1], `"waivers":null`), &decode, "waivers: not stated"},
		{"number with exponent", resigned(`"epoch":1`, `"epoch":1e0`), &decode, ""},
		{"number with fraction", resigned(`"epoch":1`, `"epoch":1.0`), &decode, ""},
		{"spaces", resigned(`"epoch":1`, `"epoch": 1`), &decode, "canonical"},
		{"trailing newline", wrap(t, key, []byte(says+"\n")), &decode, "canonical"},
		{"trailing object", wrap(t, key, []byte(says+"{}")), &decode, "after top-level value"},
		{"epoch zero", resigned(`"epoch":1`, `"epoch":0`), &decode, "epoch 0"},
		{"epoch beyond 53 bits", resigned(`"epoch":1`, `"epoch":9007199254740992`), &decode, "epoch"},
		{"another statement type", resigned(attest.StatementType, "https://in-toto.io/Statement/v0.1"), &decode, "_type"},
		{"an image's statement", must[[]byte](t)(attest.Sign(p, attest.Manifest([]byte("{}")), key)), &decode, "tree digest"},
		{"two subjects", resigned(`"subject":[`, `"subject":[{"digest":{"immureTree1":"`+treeDigest+`"}},`), &decode, "tree digest"},
		{"digest in capitals", resigned(treeDigest, strings.ToUpper(treeDigest)), &decode, "lower-case"},
		{"seal with a space", append(seal[:len(seal):len(seal)], ' '), &decode, "canonical"},
		{"seal cut off", seal[:len(seal)/2], &decode, ""},
		{"empty", nil, &decode, ""},
		{"too large", bytes.Repeat([]byte(" "), bundle.MaxSealBytes+1), &decode, "more than 65536 bytes"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got, digest, err := attest.NewOpener(trust(key)).OpenSeal(tc.data)
			if err == nil {
				t.Fatalf("opened as %q of %s", got.Name, digest)
			}
			if !errors.As(err, tc.want) {
				t.Errorf("got %T: %v, want a %T", err, err, tc.want)
			}
			if !strings.Contains(err.Error(), tc.text) || strings.Contains(err.Error(), "\n") {
				t.Errorf("got %q, want one line with %q", err, tc.text)
			}
			if digest != "" || got.Name != "" {
				t.Error("a refused seal says something")
			}
		})
	}
}

// The zero value of trust is nobody, and that must be said.
func TestOpenSealWithoutTrust(t *testing.T) {
	seal := must[[]byte](t)(attest.Seal(sample.Predicate(1), treeDigest, sample.Key(keys.Ed25519)))
	for _, trusted := range [][]keys.PublicKey{nil, {}, {{}}} {
		if _, _, err := attest.NewOpener(trusted).OpenSeal(seal); err == nil {
			t.Errorf("opened with the trusted keys %v", trusted)
		}
	}
}

func TestSealRefuses(t *testing.T) {
	key := sample.Key(keys.Ed25519)
	for name, change := range map[string]func(*attest.Predicate){
		"service beyond envelope":    func(p *attest.Predicate) { p.Envelope.NoNewPrivileges, p.Service.NoNewPrivileges = "on", "off" },
		"facet not stated":           func(p *attest.Predicate) { p.Service.Rootfs = "" },
		"no name":                    func(p *attest.Predicate) { p.Name = "" },
		"name with a slash":          func(p *attest.Predicate) { p.Name = "a/b" },
		"name in capitals":           func(p *attest.Predicate) { p.Name = "Hello" },
		"no epoch":                   func(p *attest.Predicate) { p.Epoch = 0 },
		"unknown kind":               func(p *attest.Predicate) { p.Kind = "daemon" },
		"unknown immutability":       func(p *attest.Predicate) { p.Immutability = "" },
		"state of another boundary":  func(p *attest.Predicate) { p.States[0].Boundary = "sha256:" + treeDigest },
		"no default state":           func(p *attest.Predicate) { p.States[0].Name = "night" },
		"waiver without reason":      func(p *attest.Predicate) { p.Waivers[0].Reason = "" },
		"waiver of no facet":         func(p *attest.Predicate) { p.Waivers[0].Facet = "network" },
		"waiver without end":         func(p *attest.Predicate) { p.Waivers[0].Expires = "" },
		"waiver in another zone":     func(p *attest.Predicate) { p.Waivers[0].Expires = "2030-01-01T00:00:00+02:00" },
		"waiver with a fraction":     func(p *attest.Predicate) { p.Waivers[0].Expires = "2030-01-01T00:00:00.5Z" },
		"waiver over two lines":      func(p *attest.Predicate) { p.Waivers[0].Reason = "a\nb" },
		"origin from nowhere":        func(p *attest.Predicate) { p.Origins[0].From = "profile:" },
		"origin of unknown boundary": func(p *attest.Predicate) { p.Origins[0].Boundary = "pod" },
		"origins out of order":       func(p *attest.Predicate) { p.Origins[0], p.Origins[1] = p.Origins[1], p.Origins[0] },
		"grants out of order":        func(p *attest.Predicate) { p.Origins[1].Grants = []string{"b", "a"} },
		"origin of nothing":          func(p *attest.Predicate) { p.Origins[0].Grants = nil },
		"unenforced by nothing":      func(p *attest.Predicate) { p.Unenforced[0].By = "" },
		"waivers not stated":         func(p *attest.Predicate) { p.Waivers = nil },
		"reason that is not text":    func(p *attest.Predicate) { p.Waivers[0].Reason = "\xff" },
		"text of many pages":         func(p *attest.Predicate) { p.Unenforced[0].By = strings.Repeat("long ", 1_000) },
		"more than fits into one seal": func(p *attest.Predicate) {
			long := strings.Repeat("long ", 500)
			for i := range 20 {
				p.Unenforced = append(p.Unenforced, attest.Unenforced{Facet: "rootfs", Grants: []string{}, By: fmt.Sprintf("%02d ", i) + long})
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			p := sample.Predicate(1)
			change(&p)
			if _, err := attest.Seal(p, treeDigest, key); err == nil {
				t.Error("sealed")
			}
		})
	}
	if _, err := attest.Seal(sample.Predicate(1), "abc", key); err == nil {
		t.Error("sealed for the tree digest abc")
	}
	if _, err := attest.Seal(sample.Predicate(1), treeDigest, keys.PrivateKey{}); err == nil {
		t.Error("sealed without a key")
	}
}
