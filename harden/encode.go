package harden

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"reflect"

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
	return Canonical(b)
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
	if err := DecodeCanonical(data, &b); err != nil {
		return Boundary{}, fmt.Errorf("decode boundary: %w", err)
	}
	return b, nil
}

// DecodeCanonical reads canonical JSON into v, which must point to a struct
// that encodes to the same bytes again. What has a Check method is checked
// first, so that a member left out is named.
func DecodeCanonical(data []byte, v any) error {
	// Nearly every document that is read is in its one form, and tells so sooner
	// this way.
	exact := canon.Read(data, v)
	if !exact {
		if err := json.Unmarshal(data, v); err != nil {
			return err
		}
	}
	if c, ok := v.(interface{ Check() error }); ok {
		if err := c.Check(); err != nil {
			return cmp.Or(unknownMember(data, v), err)
		}
	}
	if exact {
		return nil
	}
	again, err := Canonical(v)
	if err != nil {
		return err
	}
	if bytes.Equal(again, data) {
		return nil
	}
	return cmp.Or(unknownMember(data, v), fmt.Errorf("not in canonical form (RFC 8785): byte %d differs", firstDifference(again, data)))
}

// unknownMember names a member of data that v has no place for, which the
// decoder left out: often what is behind another fault.
func unknownMember(data []byte, v any) error {
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.DisallowUnknownFields()
	return dec.Decode(reflect.New(reflect.TypeOf(v).Elem()).Interface())
}

func firstDifference(a, b []byte) int {
	for i := range min(len(a), len(b)) {
		if a[i] != b[i] {
			return i
		}
	}
	return min(len(a), len(b))
}
