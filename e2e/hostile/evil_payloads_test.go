//go:build e2e

package hostile_test

import (
	"strings"

	"github.com/immure-dev/immure/attest"
)

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
