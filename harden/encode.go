package harden

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"

	"github.com/immure-dev/immure/harden/canon"
)

// MaxEncodedBytes bounds what [Decode] reads: a boundary of some hundred calls
// takes about ten kilobytes.
const MaxEncodedBytes = 1 << 20

// Encode returns the canonical JSON form of b: RFC 8785, without a newline at
// the end. A boundary that leaves a facet out cannot be encoded.
func (b Boundary) Encode() ([]byte, error) {
	if err := b.Check(); err != nil {
		return nil, fmt.Errorf("encode boundary: %w", err)
	}
	return canon.Encode(b)
}

// Digest is the SHA-256 of the canonical form, as "sha256:…".
func (b Boundary) Digest() (string, error) {
	data, err := b.Encode()
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256(data)
	return "sha256:" + hex.EncodeToString(sum[:]), nil
}

// Decode reads a boundary in canonical form, with at most one newline after
// it. Anything else refuses: unknown, repeated, differently cased or missing
// keys, other number forms, other spacing, trailing bytes.
func Decode(data []byte) (Boundary, error) {
	var b Boundary
	if len(data) > MaxEncodedBytes {
		return b, fmt.Errorf("decode boundary: more than %d bytes", MaxEncodedBytes)
	}
	data = bytes.TrimSuffix(data, []byte("\n"))
	if err := canon.Decode(data, &b); err != nil {
		return Boundary{}, fmt.Errorf("decode boundary: %w", err)
	}
	return b, nil
}
