//go:build e2e

package hostile_test

import (
	"bytes"
	"strings"
	"testing"

	"github.com/immure-dev/immure/attest/tree"
	"github.com/immure-dev/immure/internal/oci/content"
)

// Envelopes and bundles that bring what they should be judged by, or are not
// what was signed.
func TestBundlesThatDoNotCount(t *testing.T) {
	f := service(t)
	img := f.unsealed(t)
	truth := canonical(t, f.statement(t, img))
	other := stranger(t)
	der := other.Public().PEM()
	material := func(b object) object { return b["verificationMaterial"].(object) }
	dsse := func(b object) object { return b["dsseEnvelope"].(object) }
	first := func(b object) object { return dsse(b)["signatures"].([]any)[0].(object) }
	for _, tc := range []struct {
		name string
		make func() object
	}{
		{"a stranger's", func() object { return envelope(t, truth, inToto, other) }},
		{"a stranger's that names the trusted key", func() object {
			b := envelope(t, truth, inToto, other)
			material(b)["publicKey"] = object{"hint": f.key.Public().Hint()}
			return b
		}},
		{"a stranger's that brings its key", func() object {
			b := envelope(t, truth, inToto, other)
			material(b)["publicKey"] = object{"rawBytes": der, "keyDetails": "PKIX_ED25519"}
			return b
		}},
		{"the trusted one's that brings a key", func() object {
			b := envelope(t, truth, inToto, f.key)
			material(b)["publicKey"] = object{"hint": f.key.Public().Hint(), "rawBytes": der}
			return b
		}},
		{"the trusted one's that brings a certificate", func() object {
			b := envelope(t, truth, inToto, f.key)
			material(b)["certificate"] = object{"rawBytes": der}
			return b
		}},
		{"a certificate in place of the key", func() object {
			b := envelope(t, truth, inToto, other)
			b["verificationMaterial"] = object{"certificate": object{"rawBytes": der}}
			return b
		}},
		{"a certificate chain in place of the key", func() object {
			b := envelope(t, truth, inToto, other)
			b["verificationMaterial"] = object{"x509CertificateChain": object{"certificates": []any{object{"rawBytes": der}}}}
			return b
		}},
		{"a public key in the signature", func() object {
			b := envelope(t, truth, inToto, other)
			first(b)["publicKey"] = string(der)
			return b
		}},
		{"the signature of another payload", func() object {
			b := envelope(t, truth, inToto, f.key)
			dsse(b)["payload"] = bytes.Replace(truth, []byte(`"launcher":false`), []byte(`"launcher":true`), 1)
			return b
		}},
		{"a signature of the payload without its type", func() object {
			b := envelope(t, truth, inToto, f.key)
			sig, err := f.key.Sign(truth)
			must(t, err)
			first(b)["sig"] = sig
			return b
		}},
		{"an empty signature", func() object {
			b := envelope(t, truth, inToto, f.key)
			first(b)["sig"] = ""
			return b
		}},
		{"no signature", func() object {
			b := envelope(t, truth, inToto, f.key)
			dsse(b)["signatures"] = []any{}
			return b
		}},
		{"signatures that are null", func() object {
			b := envelope(t, truth, inToto, f.key)
			dsse(b)["signatures"] = nil
			return b
		}},
		{"seventeen signatures", func() object {
			b := envelope(t, truth, inToto, f.key)
			for range 16 {
				dsse(b)["signatures"] = append(dsse(b)["signatures"].([]any), first(b))
			}
			return b
		}},
		{"a bare signature in place of the envelope", func() object {
			b := envelope(t, truth, inToto, f.key)
			b["messageSignature"] = object{"signature": first(b)["sig"]}
			delete(b, "dsseEnvelope")
			return b
		}},
		{"a bare signature beside the envelope", func() object {
			b := envelope(t, truth, inToto, f.key)
			b["messageSignature"] = object{"signature": first(b)["sig"]}
			return b
		}},
		{"payload type JSON", func() object { return envelope(t, truth, "application/json", f.key) }},
		{"payload type in capitals", func() object { return envelope(t, truth, strings.ToUpper(inToto), f.key) }},
		{"payload type with a parameter", func() object { return envelope(t, truth, inToto+"; charset=utf-8", f.key) }},
		{"no payload type", func() object { return envelope(t, truth, "", f.key) }},
		{"payload type that differs from the signed", func() object {
			b := envelope(t, truth, "application/json", f.key)
			dsse(b)["payloadType"] = inToto
			return b
		}},
		{"an older bundle", func() object {
			b := envelope(t, truth, inToto, f.key)
			b["mediaType"] = "application/vnd.dev.sigstore.bundle.v0.2+json"
			return b
		}},
		{"an unknown member", func() object {
			b := envelope(t, truth, inToto, f.key)
			b["verified"] = true
			return b
		}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			bundle := canonical(t, tc.make())
			offer(t, img, []content.Artifact{beside(t, img, bundle)}, func(t *testing.T, ref string) {
				f.verify(t, ref).refused(t, 1, "immure: refused: signature: ")
			})
			files := flatten(t, f.img)
			write(t, files, tree.SealPath, bundle)
			f.verify(t, inLayout(t, f.repack(t, files))).refused(t, 1, "signature")
		})
	}
}
