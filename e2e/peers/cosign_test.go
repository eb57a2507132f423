//go:build e2e

package peers_test

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"maps"
	"strings"
	"testing"
)

// What cosign itself writes, cosign reads, in both forms and without a network.
func TestCosignReadsItsOwn(t *testing.T) {
	for form, flags := range map[string][]string{"bundle": {"--new-bundle-format"}, "att tag": nil} {
		t.Run(form, func(t *testing.T) {
			b := newBed(t)
			b.write("predicate.json", []byte(`{"service":"hello"}`))
			_, err := b.run("generate-key-pair")
			b.must(err)
			args := append([]string{
				"attest", "--key", "cosign.key", "--tlog-upload=false", "--yes",
				"--type", predicateType, "--predicate", "predicate.json",
			}, flags...)
			_, err = b.run(append(args, b.image.String())...)
			b.must(err)
			payload, err := b.verify(flags...)
			b.must(err)
			if !bytes.Contains(payload, []byte(b.desc.Digest.Hex)) {
				t.Errorf("payload names another subject: %s", payload)
			}
		})
	}
}

// Which bundles made elsewhere cosign takes: this is what the writer of this
// project's bundles relies on.
func TestCosignReadsBundlesMadeElsewhere(t *testing.T) {
	for _, tc := range []struct {
		name   string
		change func(bundle, material, signature object)
		refuse bool
	}{
		{name: "as cosign writes them", change: func(_, _, _ object) {}},
		{name: "the key's SSH fingerprint as keyid", change: func(_, _, s object) { s["keyid"] = s["fingerprint"] }},
		{name: "any other keyid", change: func(_, _, s object) { s["keyid"] = "SHA256:any" }, refuse: true},
		{
			name: "two signatures",
			change: func(b, _, s object) {
				b["dsseEnvelope"].(object)["signatures"] = []any{s, s}
			},
			refuse: true,
		},
		{name: "another hint", change: func(_, m, _ object) { m["publicKey"] = object{"hint": "release key"} }},
		{name: "empty hint", change: func(_, m, _ object) { m["publicKey"] = object{} }},
		{name: "empty log entries", change: func(_, m, _ object) { m["tlogEntries"] = []any{} }},
		{
			name:   "parameter form of the media type",
			change: func(b, _, _ object) { b["mediaType"] = "application/vnd.dev.sigstore.bundle+json;version=0.3" },
		},
		{name: "no public key", change: func(_, m, _ object) { delete(m, "publicKey") }, refuse: true},
		{name: "unknown field", change: func(b, _, _ object) { b["extra"] = 1 }, refuse: true},
		{name: "no media type", change: func(b, _, _ object) { delete(b, "mediaType") }, refuse: true},
		{name: "another signature", change: func(_, _, s object) { s["sig"] = []byte("none") }, refuse: true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			b := newBed(t)
			statement := b.statement()
			sig, key := b.sign(statement)
			signature := object{"sig": sig, "fingerprint": fingerprint(t, key)}
			material := object{"publicKey": object{"hint": b.hint(key)}}
			bundle := object{
				"mediaType":            bundleMediaType,
				"verificationMaterial": material,
				"dsseEnvelope":         object{"payload": statement, "payloadType": inTotoType, "signatures": []any{signature}},
			}
			tc.change(bundle, material, signature)
			delete(signature, "fingerprint")
			b.attach(encode(t, bundle), bundleMediaType, "", nil)
			for form, flags := range map[string][]string{"stated": {"--new-bundle-format"}, "found": nil} {
				payload, err := b.verify(flags...)
				switch {
				case tc.refuse && err == nil:
					t.Errorf("format %s: verified, want a refusal", form)
				case !tc.refuse && err != nil:
					t.Errorf("format %s: %v", form, err)
				case !tc.refuse && !bytes.Equal(payload, statement):
					t.Errorf("format %s: got payload %s, want %s", form, payload, statement)
				}
			}
		})
	}
}

// The same for the tags that older clients read.
func TestCosignReadsTagsMadeElsewhere(t *testing.T) {
	for _, tc := range []struct {
		name        string
		annotations map[string]string
		change      func(envelope, signature object)
		refuse      bool
	}{
		{name: "as cosign writes them"},
		{name: "predicate type stated", annotations: map[string]string{"predicateType": predicateType}},
		{name: "keyid", change: func(_, s object) { s["keyid"] = "SHA256:any" }},
		{name: "no keyid", change: func(_, s object) { delete(s, "keyid") }},
		{
			name:        "no signature annotation",
			annotations: map[string]string{"dev.cosignproject.cosign/signature": "-"},
			refuse:      true,
		},
		{name: "another signature", change: func(_, s object) { s["sig"] = []byte("none") }, refuse: true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			b := newBed(t)
			statement := b.statement()
			sig, _ := b.sign(statement)
			signature := object{"keyid": "", "sig": sig}
			envelope := object{"payload": statement, "payloadType": inTotoType, "signatures": []any{signature}}
			if tc.change != nil {
				tc.change(envelope, signature)
			}
			annotations := map[string]string{"dev.cosignproject.cosign/signature": ""}
			maps.Copy(annotations, tc.annotations)
			maps.DeleteFunc(annotations, func(_, v string) bool { return v == "-" })
			b.attach(encode(t, envelope), legacyLayerType, strings.Replace(b.image.DigestStr(), ":", "-", 1)+".att", annotations)
			payload, err := b.verify()
			switch {
			case tc.refuse && err == nil:
				t.Error("verified, want a refusal")
			case !tc.refuse && err != nil:
				t.Error(err)
			case !tc.refuse && !bytes.Equal(payload, statement):
				t.Errorf("got payload %s, want %s", payload, statement)
			}
		})
	}
}

// An Ed25519 key, whose signatures are deterministic by construction.
func TestCosignReadsEd25519(t *testing.T) {
	b := newBed(t)
	statement := b.statement()
	public, private, err := ed25519.GenerateKey(rand.Reader)
	b.must(err)
	b.writePublic(public)
	bundle := encode(t, object{
		"mediaType":            bundleMediaType,
		"verificationMaterial": object{"publicKey": object{"hint": "ed25519"}},
		"dsseEnvelope": object{
			"payload": statement, "payloadType": inTotoType,
			"signatures": []any{object{"sig": ed25519.Sign(private, preAuth(statement))}},
		},
	})
	b.attach(bundle, bundleMediaType, "", nil)
	payload, err := b.verify()
	b.must(err)
	if !bytes.Equal(payload, statement) {
		t.Errorf("got payload %s, want %s", payload, statement)
	}
}

// Eight bundles beside one image: the program must not run out of places to
// read them with.
func TestCosignReadsManyBundles(t *testing.T) {
	b := newBed(t)
	statement := b.statement()
	sig, key := b.sign(statement)
	for i := range 8 {
		b.attach(encode(t, object{
			"mediaType":            bundleMediaType,
			"verificationMaterial": object{"publicKey": object{"hint": strings.Repeat(b.hint(key), i+1)}},
			"dsseEnvelope": object{
				"payload": statement, "payloadType": inTotoType, "signatures": []any{object{"sig": sig}},
			},
		}), bundleMediaType, "", nil)
	}
	if _, err := b.run("verify-attestation", "--timeout", "60s", "--key", "cosign.pub", "--type", predicateType,
		"--private-infrastructure", "--trusted-root", "root.json", b.image.String()); err != nil {
		t.Error(err)
	}
}
