// Package bundle reads and writes Sigstore bundles that hold one DSSE envelope
// signed with a key.
//
// A bundle's key is named by a hint and never carried: material that brings its
// own key or certificate is refused, for whoever made the bundle chose it. The
// hint is a help for people and decides nothing.
//
// Source: sigstore/protobuf-specs, sigstore_bundle.proto, media type version
// 0.3. Whom to trust is the caller's; what is signed stands in package attest.
package bundle

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/immure-dev/immure/attest/dsse"
	"github.com/immure-dev/immure/harden/canon"
	"github.com/immure-dev/immure/internal/strict"
)

// MediaType is of a bundle in a file, a layer or an artifact.
const MediaType = "application/vnd.dev.sigstore.bundle.v0.3+json"

// The most bytes that are read of a bundle inside an image and beside one.
const (
	MaxSealBytes     = 64 << 10
	MaxEvidenceBytes = 1 << 20
)

// A Bundle is an envelope and the hint of its key.
type Bundle struct {
	Envelope dsse.Envelope
	Hint     string
}

// wire is the JSON form, as cosign writes it for a key: without a key id, log
// entries or time stamps.
type wire struct {
	DSSEEnvelope         dsse.Envelope `json:"dsseEnvelope"`
	MediaType            string        `json:"mediaType"`
	VerificationMaterial material      `json:"verificationMaterial"`
}

func (w wire) check() error {
	if w.MediaType != MediaType {
		return fmt.Errorf("media type is %q, want %q", w.MediaType, MediaType)
	}
	return w.DSSEEnvelope.Check()
}

type material struct {
	PublicKey publicKey `json:"publicKey"`
}

type publicKey struct {
	Hint string `json:"hint"`
}

// Encode returns the canonical JSON form (RFC 8785).
func (b Bundle) Encode() ([]byte, error) {
	if err := b.Envelope.Check(); err != nil {
		return nil, fmt.Errorf("encode bundle: %w", err)
	}
	data, err := canon.Encode(wire{MediaType: MediaType, VerificationMaterial: material{publicKey{b.Hint}}, DSSEEnvelope: b.Envelope})
	if err != nil {
		return nil, fmt.Errorf("encode bundle: %w", err)
	}
	return data, nil
}

// Decode reads what [Bundle.Encode] writes, byte for byte: a seal has one form.
func Decode(data []byte) (Bundle, error) {
	if len(data) > MaxSealBytes {
		return Bundle{}, fmt.Errorf("decode bundle: more than %d bytes", MaxSealBytes)
	}
	if b, ok := single(data); ok {
		return b, nil
	}
	var w wire
	if err := canon.Decode(data, &w); err != nil {
		// The looser reader says better what is wrong, if it is wrong for it too.
		if _, why := decode(data); why != nil {
			err = why
		}
		return Bundle{}, fmt.Errorf("decode bundle: %w", err)
	}
	if err := w.check(); err != nil {
		return Bundle{}, fmt.Errorf("decode bundle: %w", err)
	}
	return Bundle{Envelope: w.DSSEEnvelope, Hint: w.VerificationMaterial.PublicKey.Hint}, nil
}

// DecodeEvidence reads a bundle of ours or of cosign's: in any JSON spacing,
// with key ids, transparency log entries and time stamps, which are not looked
// at. Members that occur twice, in another case or in no specification refuse.
func DecodeEvidence(data []byte) (Bundle, error) {
	if len(data) > MaxEvidenceBytes {
		return Bundle{}, fmt.Errorf("decode bundle: more than %d bytes", MaxEvidenceBytes)
	}
	if b, err := Decode(data); err == nil {
		return b, nil // ours; the strict reader is the quicker one
	}
	b, err := decode(data)
	if err != nil {
		return Bundle{}, fmt.Errorf("decode bundle: %w", err)
	}
	return b, nil
}

func decode(data []byte) (b Bundle, err error) {
	top, err := strict.Only(data, "mediaType", "verificationMaterial", "dsseEnvelope", "messageSignature")
	if err != nil {
		return b, err
	}
	mediaType, err := strict.String(top, "mediaType")
	if err != nil {
		return b, err
	}
	switch {
	case mediaType != MediaType:
		return b, fmt.Errorf("media type is %q, want %q", mediaType, MediaType)
	case top["messageSignature"] != nil:
		return b, errors.New("bundle holds a bare signature, want a DSSE envelope")
	}
	if b.Hint, err = readMaterial(top["verificationMaterial"]); err != nil {
		return b, fmt.Errorf("verificationMaterial: %w", err)
	}
	if b.Envelope, err = readEnvelope(top["dsseEnvelope"]); err != nil {
		return b, fmt.Errorf("dsseEnvelope: %w", err)
	}
	return b, b.Envelope.Check()
}

func readMaterial(data json.RawMessage) (hint string, err error) {
	m, err := strict.Only(data, "publicKey", "certificate", "x509CertificateChain", "tlogEntries", "timestampVerificationData")
	if err != nil {
		return "", err
	}
	if m["certificate"] != nil || m["x509CertificateChain"] != nil {
		return "", errors.New("bundle brings its own certificate: only keys that were named as trusted count")
	}
	key, err := strict.Only(m["publicKey"], "hint", "rawBytes")
	if err != nil {
		return "", fmt.Errorf("publicKey: %w", err)
	}
	if key["rawBytes"] != nil {
		return "", errors.New("bundle brings its own key: only keys that were named as trusted count")
	}
	if key["hint"] == nil {
		return "", nil
	}
	return strict.String(key, "hint")
}

func readEnvelope(data json.RawMessage) (e dsse.Envelope, err error) {
	m, err := strict.Only(data, "payload", "payloadType", "signatures")
	if err != nil {
		return e, err
	}
	if e.PayloadType, err = strict.String(m, "payloadType"); err != nil {
		return e, err
	}
	if e.Payload, err = readBase64(m, "payload"); err != nil {
		return e, err
	}
	list, err := strict.Array(m, "signatures", dsse.MaxSignatures)
	if err != nil {
		return e, err
	}
	for _, raw := range list {
		s, err := strict.Only(raw, "sig", "keyid")
		if err != nil {
			return e, fmt.Errorf("signature: %w", err)
		}
		sig, err := readBase64(s, "sig")
		if err != nil {
			return e, fmt.Errorf("signature: %w", err)
		}
		e.Signatures = append(e.Signatures, dsse.Signature{Sig: sig})
	}
	return e, nil
}

// readBase64 takes standard base64 with padding alone, as protobuf's JSON form
// is written.
func readBase64(m map[string]json.RawMessage, name string) ([]byte, error) {
	text, err := strict.String(m, name)
	if err != nil {
		return nil, err
	}
	data, err := base64.StdEncoding.Strict().DecodeString(text)
	if err != nil {
		return nil, fmt.Errorf("member %q: %w", name, err)
	}
	return data, nil
}
