// Package dsse signs and verifies Dead Simple Signing Envelopes whose payload
// is an in-toto statement.
//
// Source: DSSE protocol v1.0.2 (github.com/secure-systems-lab/dsse,
// protocol.md). What a payload says stands in package attest, how an envelope
// is carried in package bundle.
package dsse

import (
	"errors"
	"fmt"
	"slices"

	"github.com/immure-dev/immure/attest/keys"
)

// PayloadType is the only type of payload there is here. The signature covers
// it. Source: in-toto attestation spec v1, envelope.md.
const PayloadType = "application/vnd.in-toto+json"

// MaxSignatures bounds an envelope.
const MaxSignatures = 16

// An Envelope is a payload with signatures of it.
type Envelope struct {
	Payload     []byte      `json:"payload"` // base64 in JSON
	PayloadType string      `json:"payloadType"`
	Signatures  []Signature `json:"signatures"`
}

// A Signature is one of an envelope. A key id is a hint without meaning: it is
// neither written nor looked at.
type Signature struct {
	Sig []byte `json:"sig"` // base64 in JSON
}

// encode is the pre-authentication encoding, PAE of protocol.md.
func encode(payloadType string, payload []byte) []byte {
	out := make([]byte, 0, 64+len(payloadType)+len(payload))
	return append(fmt.Appendf(out, "DSSEv1 %d %s %d ", len(payloadType), payloadType, len(payload)), payload...)
}

// Sign returns the envelope of payload with one signature by each key.
func Sign(payload []byte, signers ...keys.PrivateKey) (Envelope, error) {
	if len(signers) == 0 {
		return Envelope{}, errors.New("sign envelope: no key")
	}
	e := Envelope{PayloadType: PayloadType, Payload: payload}
	for _, k := range signers {
		sig, err := k.Sign(encode(e.PayloadType, e.Payload))
		if err != nil {
			return Envelope{}, fmt.Errorf("sign envelope: %w", err)
		}
		e.Signatures = append(e.Signatures, Signature{Sig: sig})
	}
	return e, nil
}

// Check reports an envelope that cannot be one of ours, whoever signed it.
func (e Envelope) Check() error {
	switch {
	case e.PayloadType != PayloadType:
		return fmt.Errorf("payload type is %q, want %q", e.PayloadType, PayloadType)
	case len(e.Signatures) == 0:
		return errors.New("envelope has no signature")
	case len(e.Signatures) > MaxSignatures:
		return fmt.Errorf("envelope has more than %d signatures", MaxSignatures)
	}
	return nil
}

// Verify returns the trusted keys that signed the envelope, each once, however
// often it is trusted and under however many key ids it signed. It is empty
// when none did, and when the envelope is malformed.
func (e Envelope) Verify(trusted []keys.PublicKey) []keys.PublicKey {
	if e.Check() != nil {
		return nil
	}
	message := encode(e.PayloadType, e.Payload)
	var signed []keys.PublicKey
	for _, k := range trusted {
		if slices.ContainsFunc(signed, k.Equal) {
			continue
		}
		if slices.ContainsFunc(e.Signatures, func(s Signature) bool { return k.Verify(message, s.Sig) }) {
			signed = append(signed, k)
		}
	}
	return signed
}
