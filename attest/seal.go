package attest

import (
	"fmt"

	"github.com/immure-dev/immure/attest/bundle"
	"github.com/immure-dev/immure/attest/dsse"
	"github.com/immure-dev/immure/attest/keys"
	"github.com/immure-dev/immure/harden/canon"
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
	payload, err := canon.Encode(s)
	if err != nil {
		return nil, err
	}
	envelope, err := dsse.Sign(payload, signer)
	if err != nil {
		return nil, err
	}
	return bundle.Bundle{Envelope: envelope, Hint: signer.Public().Hint()}.Encode()
}
