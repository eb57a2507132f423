package bundle_test

import (
	"bytes"
	"testing"

	"github.com/immure-dev/immure/attest/bundle"
	"github.com/immure-dev/immure/attest/dsse"
)

var envelope = dsse.Envelope{PayloadType: dsse.PayloadType, Payload: []byte("{}"), Signatures: []dsse.Signature{{Sig: []byte("x")}}}

// The bytes are a format: whoever changes them changes what others have signed.
func TestEncode(t *testing.T) {
	const want = `{"dsseEnvelope":{"payload":"e30=","payloadType":"application/vnd.in-toto+json","signatures":[{"sig":"eA=="}]},` +
		`"mediaType":"application/vnd.dev.sigstore.bundle.v0.3+json","verificationMaterial":{"publicKey":{"hint":"aGludA=="}}}`
	data, err := bundle.Bundle{Envelope: envelope, Hint: "aGludA=="}.Encode()
	if err != nil {
		t.Fatal(err)
	}
	if string(data) != want {
		t.Errorf("got %s, want %s", data, want)
	}
}

func TestEncodeRefuses(t *testing.T) {
	for name, change := range map[string]func(*dsse.Envelope){
		"payload type":  func(e *dsse.Envelope) { e.PayloadType = "application/json" },
		"no signature":  func(e *dsse.Envelope) { e.Signatures = nil },
		"17 signatures": func(e *dsse.Envelope) { e.Signatures = make([]dsse.Signature, dsse.MaxSignatures+1) },
	} {
		t.Run(name, func(t *testing.T) {
			e := envelope
			change(&e)
			if data, err := (bundle.Bundle{Envelope: e}).Encode(); err == nil {
				t.Errorf("encoded %s", data)
			}
		})
	}
}

// What either reader takes can be written, and what the strict one takes is
// what would be written.
func FuzzDecode(f *testing.F) {
	good, err := bundle.Bundle{Envelope: envelope, Hint: "x"}.Encode()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good)
	f.Add(bytes.ReplaceAll(good, []byte(","), []byte(" ,\n")))
	f.Add(bytes.Replace(good, []byte(`"sig"`), []byte(`"keyid":"","sig"`), 1))
	f.Add(bytes.Replace(good, []byte(`"e30="`), []byte(`"e30=\n"`), 1))
	f.Add(bytes.Replace(good, []byte(`"hint":"x"`), []byte(`"hint":"\u0078"`), 1))
	f.Add(bytes.Replace(good, []byte(`"sig":"`), []byte(`"sig":"eA==","payloadType":"application/vnd.in-toto+json","signatures":[{"sig":"`), 1))
	f.Add(bytes.Replace(good, []byte(`"}]}`), []byte(`"},{"sig":"eA=="}]}`), 1))
	f.Add([]byte(`{"mediaType":null}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		loose, err := bundle.DecodeEvidence(data)
		if err == nil {
			if _, err := loose.Encode(); err != nil {
				t.Errorf("read what cannot be written: %v", err)
			}
		}
		b, strictErr := bundle.Decode(data)
		if strictErr != nil {
			return
		}
		again, encErr := b.Encode()
		if err != nil || encErr != nil || !bytes.Equal(again, data) {
			t.Errorf("the strict reader took %q, which is written %q (%v, %v)", data, again, err, encErr)
		}
	})
}
