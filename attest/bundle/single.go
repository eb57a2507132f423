package bundle

import (
	"bytes"
	"encoding/base64"

	"github.com/immure-dev/immure/attest/dsse"
)

// What stands between payload, signature and hint in the canonical form of a
// bundle with one signature.
const (
	beforePayload   = `{"dsseEnvelope":{"payload":"`
	beforeSignature = `","payloadType":"` + dsse.PayloadType + `","signatures":[{"sig":"`
	beforeHint      = `"}]},"mediaType":"` + MediaType + `","verificationMaterial":{"publicKey":{"hint":"`
	afterHint       = `"}}}`
)

// single reads the canonical form of a bundle with one signature, as all of
// ours are, without taking apart by JSON what is nearly all base64. It leaves
// every other bundle, and all errors, to the readers of any.
func single(data []byte) (b Bundle, ok bool) {
	rest, begins := bytes.CutPrefix(data, []byte(beforePayload))
	payload, rest, signed := bytes.Cut(rest, []byte(beforeSignature))
	sig, rest, hinted := bytes.Cut(rest, []byte(beforeHint))
	hint, ends := bytes.CutSuffix(rest, []byte(afterHint))
	if !begins || !signed || !hinted || !ends || bytes.ContainsFunc(hint, escaped) {
		return b, false
	}
	b.Envelope = dsse.Envelope{PayloadType: dsse.PayloadType, Signatures: make([]dsse.Signature, 1)}
	b.Hint = string(hint)
	return b, unbase64(&b.Envelope.Payload, payload) && unbase64(&b.Envelope.Signatures[0].Sig, sig)
}

// escaped reports a character that JSON may write in more than one way.
func escaped(r rune) bool { return r < 0x20 || r > 0x7e || r == '"' || r == '\\' }

func unbase64(into *[]byte, text []byte) bool {
	data, err := base64.StdEncoding.Strict().AppendDecode(nil, text)
	*into = data
	// The decoder passes over newlines, which no JSON string holds as such.
	return err == nil && base64.StdEncoding.EncodedLen(len(data)) == len(text)
}
