package attest

import (
	"errors"
	"fmt"

	"github.com/immure-dev/immure/attest/bundle"
	"github.com/immure-dev/immure/attest/dsse"
	"github.com/immure-dev/immure/attest/keys"
	"github.com/immure-dev/immure/harden"
)

// Seal signs p for the rootfs of the given tree digest and returns the bytes
// of the image's seal. The same predicate, digest and key give the same bytes.
func Seal(p Predicate, treeDigest string, signer keys.PrivateKey) ([]byte, error) {
	data, err := sign(p, Digests{TreeDigest: treeDigest}, signer)
	if err != nil {
		return nil, fmt.Errorf("seal: %w", err)
	}
	if len(data) > bundle.MaxSealBytes {
		return nil, fmt.Errorf("seal: %d bytes are more than the %d that a seal may have: state fewer grants", len(data), bundle.MaxSealBytes)
	}
	return data, nil
}

// Sign signs p for an image's manifest, whose digests are as [Manifest] gives
// them, and returns the bundle that is attached to it.
func Sign(p Predicate, manifest Digests, signer keys.PrivateKey) ([]byte, error) {
	data, err := sign(p, Digests{SHA256: manifest[SHA256]}, signer)
	if err != nil {
		return nil, fmt.Errorf("sign statement: %w", err)
	}
	return data, nil
}

func sign(p Predicate, digests Digests, signer keys.PrivateKey) ([]byte, error) {
	s, err := newStatement(p, digests)
	if err != nil {
		return nil, err
	}
	payload, err := harden.Canonical(s)
	if err != nil {
		return nil, err
	}
	envelope, err := dsse.Sign(payload, signer)
	if err != nil {
		return nil, err
	}
	return bundle.Bundle{Envelope: envelope, Hint: signer.Public().Hint()}.Encode()
}

// OpenSeal returns what a seal says and the tree digest that it is about. It
// fails with an [UntrustedError] when no trusted key signed it, a [VersionError]
// when it needs a newer program, a [TypeError] when it is about something else,
// and a [DecodeError] when it is no seal.
func OpenSeal(data []byte, trusted []keys.PublicKey) (p Predicate, treeDigest string, err error) {
	b, err := bundle.Decode(data)
	if err != nil {
		return p, "", &DecodeError{What: "seal", Err: err}
	}
	s, err := open("seal", b, trusted)
	if err != nil {
		return p, "", err
	}
	treeDigest = s.Subject[0].Digest[TreeDigest]
	if len(s.Subject) != 1 || len(s.Subject[0].Digest) != 1 || s.Subject[0].Name != "" || treeDigest == "" {
		return p, "", &DecodeError{What: "seal", Err: errors.New("its subject is not one tree digest")}
	}
	return s.Predicate, treeDigest, nil
}

// Open returns the statement of a bundle beside an image. Its errors are those
// of [OpenSeal].
func Open(data []byte, trusted []keys.PublicKey) (Statement, error) {
	b, err := bundle.DecodeEvidence(data)
	if err != nil {
		return Statement{}, &DecodeError{What: "bundle", Err: err}
	}
	return open("statement", b, trusted)
}

func open(what string, b bundle.Bundle, trusted []keys.PublicKey) (Statement, error) {
	if len(trusted) == 0 {
		return Statement{}, errors.New("no trusted key was named")
	}
	if len(b.Envelope.Verify(trusted)) == 0 {
		return Statement{}, &UntrustedError{What: what, Hint: b.Hint, Trusted: trusted}
	}
	return decodeStatement(b.Envelope.Payload)
}
