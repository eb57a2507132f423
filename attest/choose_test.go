package attest_test

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"

	"google.golang.org/protobuf/encoding/protojson"
	"pgregory.net/rapid"

	intoto "github.com/in-toto/attestation/go/v1"

	"github.com/immure-dev/immure/attest"
	"github.com/immure-dev/immure/attest/bundle"
	"github.com/immure-dev/immure/attest/internal/sample"
	"github.com/immure-dev/immure/attest/keys"
)

var manifest = attest.Manifest([]byte(`{"schemaVersion":2}`))

// signed is a bundle about manifest of the given epoch.
func signed(t *testing.T, key keys.PrivateKey, epoch int64, changes ...func(*attest.Predicate)) []byte {
	t.Helper()
	p := sample.Predicate(epoch)
	for _, change := range changes {
		change(&p)
	}
	return must[[]byte](t)(attest.Sign(p, manifest, key))
}

func looser(p *attest.Predicate) { p.Immutability = "strict" }

func TestVerifyChooses(t *testing.T) {
	key, second, foreign := sample.Key(keys.ECDSA), sample.Key(keys.Ed25519), sample.Key(keys.ECDSA)
	elsewhere := must[[]byte](t)(attest.Sign(sample.Predicate(9), attest.Manifest([]byte("other")), key))
	sbom := wrap(t, key, []byte(`{"_type":"https://in-toto.io/Statement/v1","subject":[],"predicateType":"https://spdx.dev/Document","predicate":{}}`))
	garbage := wrap(t, key, []byte(`{"_type":`))
	newer := wrap(t, key, bytes.Replace(payload(t, signed(t, key, 1)), []byte("boundary/v1"), []byte("boundary/v2"), 1))
	subject := func(digests string) []byte {
		return wrap(t, key, bytes.Replace(payload(t, signed(t, key, 1)), []byte(`{"sha256":"`+manifest["sha256"]+`"}`), []byte(digests), 1))
	}
	const zeros = "0000000000000000000000000000000000000000000000000000000000000000"
	for _, tc := range []struct {
		name    string
		bundles [][]byte
		epoch   int64  // of the statement chosen; 0: refused
		text    string // of the refusal
	}{
		{"one", [][]byte{signed(t, key, 1)}, 1, ""},
		{"by the other trusted key", [][]byte{signed(t, second, 1)}, 1, ""},
		{"none at all", nil, 0, "none was found"},
		{"another key's only", [][]byte{signed(t, foreign, 1)}, 0, "found 1 not signed by a trusted key"},
		{"another predicate type only", [][]byte{sbom}, 0, "found 1 of another predicate type"},
		{"another image's only", [][]byte{elsewhere}, 0, "found 1 for another image"},
		{"all of these", [][]byte{signed(t, foreign, 1), sbom, elsewhere, []byte("x")}, 0, "found 2 not signed by a trusted key, 1 of another predicate type, 1 for another image"},
		{"strangers' beside a good one", [][]byte{[]byte("x"), signed(t, foreign, 7), sbom, elsewhere, signed(t, key, 2)}, 2, ""},
		{"an older, looser one offered again", [][]byte{signed(t, key, 2), signed(t, key, 1, looser)}, 2, ""},
		{"the same twice", [][]byte{signed(t, key, 1), signed(t, key, 1)}, 1, ""},
		{"the same by two keys", [][]byte{signed(t, key, 1), signed(t, second, 1)}, 1, ""},
		{"two that disagree", [][]byte{signed(t, key, 1), signed(t, key, 1, looser)}, 0, "disagree"},
		{"two that disagree, by two keys", [][]byte{signed(t, key, 1), signed(t, second, 1, looser)}, 0, "disagree"},
		{"two that disagree, and a newer one", [][]byte{signed(t, key, 1), signed(t, key, 3), signed(t, key, 1, looser)}, 3, ""},
		{"signed but not to be parsed", [][]byte{signed(t, key, 1), garbage}, 0, "read signed statement"},
		{"signed in a newer version", [][]byte{signed(t, key, 1), newer}, 0, "a newer immure is needed"},
		{"sha512 alone", [][]byte{subject(`{"sha512":"` + manifest["sha512"] + `"}`)}, 0, "for another image"},
		{"both digests right", [][]byte{subject(`{"sha256":"` + manifest["sha256"] + `","sha512":"` + manifest["sha512"] + `"}`)}, 1, ""},
		{"sha512 wrong", [][]byte{subject(`{"sha256":"` + manifest["sha256"] + `","sha512":"` + zeros + zeros + `"}`)}, 0, "and another sha512"},
		{"sha256 wrong", [][]byte{subject(`{"sha256":"` + zeros + `","sha512":"` + manifest["sha512"] + `"}`)}, 0, "and another sha256"},
		{"a further digest that nobody knows", [][]byte{subject(`{"gitTree":"1","sha256":"` + manifest["sha256"] + `"}`)}, 1, ""},
		{"a seal's statement", [][]byte{wrap(t, key, payload(t, must[[]byte](t)(attest.Seal(sample.Predicate(1), manifest["sha256"], key))))}, 0, "for another image"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			for range 3 { // the order in which they are found does not matter
				rand.Shuffle(len(tc.bundles), func(i, j int) { tc.bundles[i], tc.bundles[j] = tc.bundles[j], tc.bundles[i] })
				s, err := attest.NewOpener(trust(key, second)).Verify(tc.bundles, manifest)
				switch {
				case tc.epoch == 0 && err == nil:
					t.Errorf("chose epoch %d, want a refusal", s.Predicate.Epoch)
				case tc.epoch == 0 && !strings.Contains(err.Error(), tc.text):
					t.Errorf("got %q, want %q in it", err, tc.text)
				case tc.epoch != 0 && err != nil:
					t.Error(err)
				case s.Predicate.Epoch != tc.epoch:
					t.Errorf("chose epoch %d, want %d", s.Predicate.Epoch, tc.epoch)
				}
			}
		})
	}
}

// Bundles with members that cosign writes count, those that bring their own
// trust do not, whoever signed them.
func TestVerifyBundleForms(t *testing.T) {
	key := sample.Key(keys.ECDSA)
	good := string(signed(t, key, 1))
	for _, tc := range []struct {
		name, old, replacement string
		counts                 bool
	}{
		{"log entries and time stamps", `"publicKey":`, `"tlogEntries":[{"logIndex":"1"}],"timestampVerificationData":{},"publicKey":`, true},
		{"a key id", `"sig":`, `"keyid":"SHA256:x","sig":`, true},
		{"spaces", `,`, ` , `, true},
		{"no hint", `"hint":"` + key.Public().Hint() + `"`, ``, true},
		{"a certificate", `"publicKey":`, `"certificate":{"rawBytes":"AA=="},"publicKey":`, false},
		{"a certificate chain", `"publicKey":`, `"x509CertificateChain":{"certificates":[]},"publicKey":`, false},
		{"a key", `"hint":`, `"rawBytes":"AA==","hint":`, false},
		{"a bare signature too", `"mediaType":`, `"messageSignature":{},"mediaType":`, false},
		{"an unknown member", `"mediaType":`, `"x":1,"mediaType":`, false},
		{"a payload twice", `"payload":`, `"payload":"AA==","payload":`, false},
		{"a payload in capitals too", `"payload":`, `"Payload":"AA==","payload":`, false},
		{"another payload type", `"payloadType":"application/vnd.in-toto+json"`, `"payloadType":"application/json"`, false},
		{"another version", `v0.3+json`, `v0.2+json`, false},
		{"no signature", `"signatures":[`, `"signatures":[],"x":[`, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			data := strings.Replace(good, tc.old, tc.replacement, 1)
			if data == good {
				t.Fatalf("the bundle holds no %s", tc.old)
			}
			_, err := attest.NewOpener(trust(key)).Verify([][]byte{[]byte(data)}, manifest)
			var none *attest.MissingError
			if tc.counts && err != nil || !tc.counts && !errors.As(err, &none) {
				t.Errorf("counts: %v, got error %v", tc.counts, err)
			}
		})
	}
}

// A right signature over another payload type is over no statement.
func TestPayloadTypeIsSigned(t *testing.T) {
	key := sample.Key(keys.ECDSA)
	says := payload(t, signed(t, key, 1))
	b := must[bundle.Bundle](t)(bundle.DecodeEvidence(signed(t, key, 1)))
	sig := must[[]byte](t)(key.Sign(append([]byte("DSSEv1 16 application/json "), says...)))
	b.Envelope.Signatures[0].Sig = sig
	data := must[[]byte](t)(b.Encode())
	if _, err := attest.NewOpener(trust(key)).Open(data); err == nil {
		t.Error("opened a statement whose signature covers another payload type")
	}
}

func TestVerifyWithoutTrust(t *testing.T) {
	key := sample.Key(keys.ECDSA)
	if _, err := attest.NewOpener(nil).Verify([][]byte{signed(t, key, 1)}, manifest); err == nil {
		t.Error("verified with no trusted key")
	}
	if _, err := attest.Select(nil, attest.SHA256, nil); err == nil {
		t.Error("selected for no digest")
	}
}

// The choice depends on what was found and never on the order of it, and what
// no trusted key signed changes nothing.
func TestSelectLaws(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var statements []attest.Statement
		highest := map[int64]map[string]bool{}
		top := int64(0)
		for range rapid.IntRange(0, 6).Draw(t, "count") {
			s := attest.Statement{Predicate: sample.Predicate(rapid.Int64Range(1, 4).Draw(t, "epoch"))}
			s.Predicate.Immutability = rapid.SampledFrom([]string{"fixed", "strict"}).Draw(t, "immutability")
			mine := rapid.Bool().Draw(t, "about this image")
			digest := attest.Digests{"sha256": strings.Repeat("0", 64)}
			if mine {
				digest = attest.Digests{"sha256": manifest["sha256"]}
				if highest[s.Predicate.Epoch] == nil {
					highest[s.Predicate.Epoch] = map[string]bool{}
				}
				highest[s.Predicate.Epoch][s.Predicate.Immutability] = true
				top = max(top, s.Predicate.Epoch)
			}
			s.Subject = []attest.Subject{{Digest: digest}}
			statements = append(statements, s)
		}
		got, err := attest.Select(statements, attest.SHA256, manifest)
		if want := len(highest[top]) == 1; want != (err == nil) {
			t.Fatalf("got error %v, want success %v", err, want)
		}
		if err == nil && (got.Predicate.Epoch != top || !highest[top][got.Predicate.Immutability]) {
			t.Fatalf("got epoch %d, want %d", got.Predicate.Epoch, top)
		}
	})
}

// The in-toto project's own reader takes our statements, for images and seals.
func TestInTotoReadsStatements(t *testing.T) {
	key := sample.Key(keys.Ed25519)
	for name, data := range map[string][]byte{
		"image": signed(t, key, 1),
		"seal":  must[[]byte](t)(attest.Seal(sample.Predicate(1), treeDigest, key)),
	} {
		t.Run(name, func(t *testing.T) {
			var s intoto.Statement
			if err := protojson.Unmarshal(payload(t, data), &s); err != nil {
				t.Fatal(err)
			}
			if err := s.Validate(); err != nil {
				t.Fatal(err)
			}
			if s.GetPredicateType() != attest.PredicateType || s.GetPredicate().AsMap()["name"] != "hello" {
				t.Errorf("got %s of %v", s.GetPredicateType(), s.GetPredicate().AsMap()["name"])
			}
		})
	}
}

func FuzzOpen(f *testing.F) {
	key := sample.Key(keys.Ed25519)
	good, err := attest.Sign(sample.Predicate(1), manifest, key)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good)
	f.Add([]byte(`{"mediaType":"application/vnd.dev.sigstore.bundle.v0.3+json","verificationMaterial":{"publicKey":{}},"dsseEnvelope":{}}`))
	f.Add([]byte(`{}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		if _, err := attest.NewOpener(trust(key)).Open(data); err == nil {
			b, err := bundle.DecodeEvidence(data)
			if err != nil || len(b.Envelope.Verify(trust(key))) != 1 {
				t.Error("opened what does not verify")
			}
		}
		if _, _, err := attest.NewOpener(trust(key)).OpenSeal(data); err == nil {
			t.Error("opened a seal that nobody made")
		}
	})
}

// FuzzStatement signs whatever comes, so that the decoder behind the signature
// is reached: what it takes has one form only.
func FuzzStatement(f *testing.F) {
	key := sample.Key(keys.Ed25519)
	good, err := attest.Sign(sample.Predicate(1), manifest, key)
	if err != nil {
		f.Fatal(err)
	}
	b, err := bundle.DecodeEvidence(good)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b.Envelope.Payload)
	f.Add([]byte(`{"predicateType":"https://github.com/immure-dev/immure/boundary/v1"}`))
	f.Add([]byte(`{"predicateType":"https://github.com/immure-dev/immure/boundary/v18"}`))
	f.Add([]byte(`[]`))
	f.Fuzz(func(t *testing.T, data []byte) {
		seal := bundle.Bundle{Envelope: b.Envelope}
		seal.Envelope.Payload = data
		sig, err := key.Sign([]byte("DSSEv1 28 application/vnd.in-toto+json " + strconv.Itoa(len(data)) + " " + string(data)))
		if err != nil {
			t.Fatal(err)
		}
		seal.Envelope.Signatures[0].Sig = sig
		encoded, err := seal.Encode()
		if err != nil {
			t.Fatal(err)
		}
		s, err := attest.NewOpener(trust(key)).Open(encoded)
		var untrusted *attest.UntrustedError
		if errors.As(err, &untrusted) {
			t.Fatal("the signature does not verify")
		}
		if err == nil && s.Check() != nil {
			t.Error("opened a statement that does not hold")
		}
	})
}
