//go:build e2e

package hostile_test

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/immure-dev/immure/attest"
	"github.com/immure-dev/immure/attest/evidence"
	"github.com/immure-dev/immure/attest/tree"
)

// unsealed is the fixture without its seal: what speaks for it stands beside.
func (f *fixture) unsealed(tb testing.TB) v1.Image {
	tb.Helper()
	layers, err := f.img.Layers()
	must(tb, err)
	return assemble(tb, f.img, nil, layers[:len(layers)-1]...)
}

// A payload makes, of a true statement, what a trusted key is made to sign.
type payload struct {
	name string
	make func(tb testing.TB, s object) []byte
}

// edit is a payload that is canonical JSON of a changed statement.
func edit(name string, change func(s object)) payload {
	return payload{name, func(tb testing.TB, s object) []byte {
		change(s)
		return canonical(tb, s)
	}}
}

// text is a payload made from the true one's bytes.
func text(name string, change func(s string) string) payload {
	return payload{name, func(tb testing.TB, s object) []byte {
		before := canonical(tb, s)
		after := []byte(change(string(before)))
		if bytes.Equal(before, after) {
			tb.Fatalf("%s changes nothing", name)
		}
		return after
	}}
}

func replace(from, to string) func(string) string {
	return func(s string) string { return strings.Replace(s, from, to, 1) }
}

func predicate(s object) object { return s["predicate"].(object) }

// otherTypes are statements of other predicate types.
var otherTypes = []payload{
	edit("provenance", func(s object) { s["predicateType"] = "https://slsa.dev/provenance/v1" }),
	edit("a custom type", func(s object) { s["predicateType"] = "https://cosign.sigstore.dev/attestation/v1" }),
	edit("a later version", func(s object) { s["predicateType"] = strings.TrimSuffix(attest.PredicateType, "1") + "2" }),
	edit("another spelling of the version", func(s object) { s["predicateType"] = strings.TrimSuffix(attest.PredicateType, "1") + "01" }),
	edit("another case", func(s object) { s["predicateType"] = strings.ToUpper(attest.PredicateType) }),
	edit("a type within another", func(s object) { s["predicateType"] = attest.PredicateType + "/x" }),
	edit("no type", func(s object) { delete(s, "predicateType") }),
	edit("a list of types", func(s object) { s["predicateType"] = []any{attest.PredicateType} }),
	edit("another statement type", func(s object) { s["_type"] = "https://in-toto.io/Statement/v0.1" }),
}

// broken are payloads that cannot be understood.
var broken = []payload{
	text("nothing", func(string) string { return "" }),
	text("null", func(string) string { return "null" }),
	text("a list", func(s string) string { return "[" + s + "]" }),
	text("a text", func(string) string { return `"statement"` }),
	text("half", func(s string) string { return s[:len(s)/2] }),
	text("all but the last byte", func(s string) string { return s[:len(s)-1] }),
	text("not UTF-8", replace(`"name":"hostile"`, "\"name\":\"hostile\xff\"")),
	text("deep", func(string) string { return strings.Repeat(`{"predicate":`, 20_000) }),
	text("a deep list", func(s string) string {
		return strings.Replace(s, `"waivers":[]`, `"waivers":`+strings.Repeat("[", 50_000)+strings.Repeat("]", 50_000), 1)
	}),
	edit("no predicate", func(s object) { delete(s, "predicate") }),
	edit("a predicate that is null", func(s object) { s["predicate"] = nil }),
	edit("epoch as text", func(s object) { predicate(s)["epoch"] = "2" }),
	edit("epoch 0", func(s object) { predicate(s)["epoch"] = 0 }),
	edit("a negative epoch", func(s object) { predicate(s)["epoch"] = -2 }),
	text("an epoch beyond what JSON holds", replace(`"epoch":2`, `"epoch":9007199254740993`)),
	text("an epoch that overflows", replace(`"epoch":2`, `"epoch":18446744073709551618`)),
	edit("no service boundary", func(s object) { delete(predicate(s), "service") }),
	edit("a facet that is not stated", func(s object) { delete(predicate(s)["service"].(object), "rootfs") }),
	edit("a facet that is empty", func(s object) { predicate(s)["service"].(object)["rootfs"] = "" }),
	edit("a facet that is null", func(s object) { predicate(s)["envelope"].(object)["syscalls"] = nil }),
	edit("a facet of a word that none knows", func(s object) { predicate(s)["envelope"].(object)["rootfs"] = "writeable" }),
	edit("a service beyond its envelope", func(s object) { predicate(s)["service"].(object)["rootfs"] = "writable" }),
	edit("a launcher that is not stated", func(s object) { delete(predicate(s), "launcher") }),
	edit("no states", func(s object) { predicate(s)["states"] = []any{} }),
	edit("a name with a line break", func(s object) { predicate(s)["name"] = "hostile\nimmure: verified" }),
}

// twofold are payloads that two readers read in two ways.
var twofold = []payload{
	text("trailing line break", func(s string) string { return s + "\n" }),
	text("leading blank", func(s string) string { return " " + s }),
	text("byte order mark", func(s string) string { return "\ufeff" + s }),
	text("a second document", func(s string) string { return s + s }),
	text("trailing NUL", func(s string) string { return s + "\x00" }),
	text("a blank within", replace(`"epoch":2`, `"epoch": 2`)),
	text("1e0 for a number", replace(`"epoch":2`, `"epoch":2e0`)),
	text("2.0 for a number", replace(`"epoch":2`, `"epoch":2.0`)),
	text("a key twice", replace(`"epoch":2`, `"epoch":1,"epoch":2`)),
	text("a key twice, the true one first", replace(`"epoch":2`, `"epoch":2,"epoch":9`)),
	text("the predicate twice", func(s string) string { return strings.Replace(s, `"predicate":`, `"predicate":{},"predicate":`, 1) }),
	text("the subject twice", func(s string) string { return strings.Replace(s, `"subject":`, `"subject":[],"subject":`, 1) }),
	text("a key in another case", replace(`"epoch":2`, `"Epoch":2`)),
	text("a key in two cases", replace(`"epoch":2`, `"Epoch":1,"epoch":2`)),
	text("the predicate in another case", replace(`"predicate":`, `"Predicate":`)),
	text("a facet in another case", replace(`"rootfs":`, `"Rootfs":`)),
	text("a key that folds by Unicode", replace(`"states"`, "\"\u017ftates\"")),
	text("a key in escapes", replace(`"epoch"`, `"\u0065poch"`)),
	text("a value in escapes", replace(`"hostile"`, `"h\u006fstile"`)),
	edit("an unknown key", func(s object) { s["expires"] = "never" }),
	edit("an unknown key of the predicate", func(s object) { predicate(s)["debug"] = true }),
	edit("an unknown facet", func(s object) { predicate(s)["service"].(object)["privileged"] = "yes" }),
	edit("an unknown key of a subject", func(s object) { s["subject"].([]any)[0].(object)["uri"] = "x" }),
}

// subjects are statements about something else, at least in part.
var subjects = []payload{
	edit("another digest", digests(func(d object) { d["sha256"] = strings.Repeat("ab", 32) })),
	edit("no digest", digests(func(d object) { clear(d) })),
	edit("sha512 alone", digests(func(d object) { clear(d); d["sha512"] = strings.Repeat("ab", 64) })),
	edit("sha512 that is wrong beside sha256", digests(func(d object) { d["sha512"] = strings.Repeat("ab", 64) })),
	edit("sha256 that is wrong beside one of another name", digests(func(d object) {
		d["SHA256"], d["sha256"] = d["sha256"], strings.Repeat("ab", 32)
	})),
	edit("sha1 alone", digests(func(d object) { clear(d); d["sha1"] = strings.Repeat("ab", 20) })),
	edit("a digest in capitals", digests(func(d object) { d["sha256"] = strings.ToUpper(d["sha256"].(string)) })),
	edit("half a digest", digests(func(d object) { d["sha256"] = d["sha256"].(string)[:32] })),
	edit("a digest with its algorithm", digests(func(d object) { d["sha256"] = "sha256:" + d["sha256"].(string) })),
	edit("an empty digest", digests(func(d object) { d["sha256"] = "" })),
	edit("the digest as a name", func(s object) {
		s["subject"] = []any{object{"name": s["subject"].([]any)[0].(object)["digest"].(object)["sha256"], "digest": object{"sha256": strings.Repeat("ab", 32)}}}
	}),
	edit("no subject", func(s object) { s["subject"] = []any{} }),
	edit("subjects that are null", func(s object) { s["subject"] = nil }),
	edit("65 subjects", func(s object) {
		one := s["subject"].([]any)[0]
		for range 64 {
			s["subject"] = append(s["subject"].([]any), one)
		}
	}),
	edit("a second subject that contradicts", func(s object) {
		one := s["subject"].([]any)[0].(object)["digest"].(object)
		s["subject"] = append(s["subject"].([]any), object{"digest": object{"sha256": one["sha256"], "sha512": strings.Repeat("ab", 64)}})
	}),
}

func digests(change func(d object)) func(object) {
	return func(s object) { change(s["subject"].([]any)[0].(object)["digest"].(object)) }
}

// A trusted key signed it, and still it vouches for nothing: as the only
// statement beside an image, in each medium.
func TestSignedStatementsThatDoNotCount(t *testing.T) {
	f := service(t)
	img := f.unsealed(t)
	offer(t, img, []evidence.Artifact{beside(t, img, signed(t, canonical(t, f.statement(t, img)), f.key))}, func(t *testing.T, ref string) {
		f.verify(t, ref).allowed(t) // or the rest would show nothing
	})
	for group, payloads := range map[string][]payload{"type": otherTypes, "broken": broken, "twofold": twofold, "subject": subjects} {
		for _, p := range payloads {
			t.Run(group+"/"+p.name, func(t *testing.T) {
				t.Parallel()
				bundle := signed(t, p.make(t, f.statement(t, img)), f.key)
				offer(t, img, []evidence.Artifact{beside(t, img, bundle)}, func(t *testing.T, ref string) {
					f.verify(t, ref).refused(t, 1, "immure: refused: signature: ")
				})
			})
		}
	}
}

// The same as the seal inside, whose subject is the tree.
func TestSealsThatDoNotCount(t *testing.T) {
	f := service(t)
	files := flatten(t, f.img)
	truth := payloadOf(t, bytesOf(t, files, tree.SealPath))
	again := func(tb testing.TB) object {
		var s object
		must(tb, json.Unmarshal(canonical(tb, truth), &s))
		return s
	}
	seal := func(tb testing.TB, payload []byte) string {
		files := flatten(tb, f.img)
		write(tb, files, tree.SealPath, signed(tb, payload, f.key))
		return inLayout(tb, f.repack(tb, files))
	}
	f.verify(t, seal(t, canonical(t, truth))).allowed(t)
	more := []payload{
		edit("about a manifest", func(s object) { s["subject"] = []any{object{"digest": object{"sha256": strings.Repeat("ab", 32)}}} }),
		edit("about another tree", func(s object) {
			s["subject"] = []any{object{"digest": object{tree.Algorithm: strings.Repeat("ab", 32)}}}
		}),
		edit("about two trees", func(s object) { s["subject"] = append(s["subject"].([]any), s["subject"].([]any)...) }),
		edit("about a tree and a manifest", digests(func(d object) { d["sha256"] = strings.Repeat("ab", 32) })),
		edit("about a tree by an older encoding", digests(func(d object) { d["immureTree0"] = d[tree.Algorithm]; delete(d, tree.Algorithm) })),
	}
	for _, payloads := range [][]payload{otherTypes, broken, twofold, more} {
		for _, p := range payloads {
			t.Run(p.name, func(t *testing.T) {
				t.Parallel()
				f.verify(t, seal(t, p.make(t, again(t)))).refused(t, 1)
			})
		}
	}
}

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
			offer(t, img, []evidence.Artifact{beside(t, img, bundle)}, func(t *testing.T, ref string) {
				f.verify(t, ref).refused(t, 1, "immure: refused: signature: ")
			})
			files := flatten(t, f.img)
			write(t, files, tree.SealPath, bundle)
			f.verify(t, inLayout(t, f.repack(t, files))).refused(t, 1, "signature")
		})
	}
}

// A statement of a trusted key that cannot be understood refuses even where a
// good seal is: it could be the one that counts. What strangers leave beside an
// image changes nothing, or anyone could keep a service from starting.
func TestStatementsBesideASealedImage(t *testing.T) {
	f := service(t)
	for _, p := range [][]payload{broken, twofold} {
		for _, p := range p {
			t.Run("trusted/"+p.name, func(t *testing.T) {
				t.Parallel()
				bundle := signed(t, p.make(t, f.statement(t, f.img)), f.key)
				f.verify(t, inRegistry(t, f.img, beside(t, f.img, bundle))).refused(t, 1, "signature")
			})
			t.Run("stranger/"+p.name, func(t *testing.T) {
				t.Parallel()
				bundle := signed(t, p.make(t, f.statement(t, f.img)), stranger(t))
				f.verify(t, inRegistry(t, f.img, beside(t, f.img, bundle))).allowed(t)
			})
		}
	}
}
