package keys

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"strings"
)

// A Kind is a signature scheme.
type Kind string

// The kinds of key.
const (
	ECDSA   Kind = "ecdsa" // P-256 with SHA-256, signatures in ASN.1 (SEC 1)
	Ed25519 Kind = "ed25519"
)

// A PublicKey verifies signatures. The zero value verifies none.
type PublicKey struct {
	key crypto.PublicKey // *ecdsa.PublicKey on P-256, or ed25519.PublicKey
	der string           // SubjectPublicKeyInfo; a string so that keys compare
}

// Public is the PublicKey of key, which must be on P-256 or an Ed25519 one.
func Public(key crypto.PublicKey) (PublicKey, error) {
	switch k := key.(type) {
	case *ecdsa.PublicKey:
		if k.Curve != elliptic.P256() {
			return PublicKey{}, fmt.Errorf("key is ECDSA on %s: use P-256 or Ed25519", k.Curve.Params().Name)
		}
	case ed25519.PublicKey:
	default:
		return PublicKey{}, fmt.Errorf("key is of type %s: use ECDSA on P-256 or Ed25519", typeName(key))
	}
	der, err := x509.MarshalPKIXPublicKey(key)
	if err != nil {
		return PublicKey{}, fmt.Errorf("encode public key: %w", err)
	}
	return PublicKey{key: key, der: string(der)}, nil
}

// typeName is the algorithm's name in crypto's type: "rsa", "ecdh".
func typeName(key any) string {
	name := strings.TrimLeft(fmt.Sprintf("%T", key), "*")
	name, _, _ = strings.Cut(name, ".")
	return name
}

// ParsePublic reads one PEM block "PUBLIC KEY" and nothing else.
func ParsePublic(data []byte) (PublicKey, error) {
	block, err := oneBlock(data)
	if err != nil {
		return PublicKey{}, fmt.Errorf("read public key: %w", err)
	}
	switch {
	case strings.Contains(block.Type, "PRIVATE KEY"):
		return PublicKey{}, errors.New("read public key: this is a private key: give the public one (cosign.pub)")
	case block.Type != "PUBLIC KEY":
		return PublicKey{}, fmt.Errorf("read public key: PEM block is %q, want \"PUBLIC KEY\"", block.Type)
	}
	key, err := x509.ParsePKIXPublicKey(block.Bytes)
	if err != nil {
		return PublicKey{}, fmt.Errorf("read public key: %w", err)
	}
	return Public(key)
}

// oneBlock reads data that is one PEM block without headers or anything around
// it, so that no two readers can take different keys from one file.
func oneBlock(data []byte) (*pem.Block, error) {
	if len(data) > MaxFileBytes {
		return nil, fmt.Errorf("more than %d bytes", MaxFileBytes)
	}
	data = bytes.TrimSpace(data)
	if !bytes.HasPrefix(data, []byte("-----BEGIN ")) {
		return nil, errors.New("not a PEM file: it must begin with -----BEGIN")
	}
	block, rest := pem.Decode(data)
	switch {
	case block == nil || bytes.Count(data, []byte("-----BEGIN ")) != bytes.Count(rest, []byte("-----BEGIN "))+1:
		return nil, errors.New("malformed PEM block")
	case len(rest) > 0:
		return nil, errors.New("more than one PEM block: give one key in a file")
	case len(block.Headers) > 0:
		return nil, errors.New("PEM block has headers")
	}
	return block, nil
}

// PEM is the form that [ParsePublic] reads.
func (k PublicKey) PEM() []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: []byte(k.der)})
}

// ID is "sha256:…" of the SubjectPublicKeyInfo, for people and logs.
func (k PublicKey) ID() string {
	sum := sha256.Sum256([]byte(k.der))
	return "sha256:" + hex.EncodeToString(sum[:])
}

// Hint is the same digest in base64, as a Sigstore bundle names the key
// (sigstore_common.proto, PublicKeyIdentifier).
func (k PublicKey) Hint() string {
	sum := sha256.Sum256([]byte(k.der))
	return base64.StdEncoding.EncodeToString(sum[:])
}

// Kind is the key's signature scheme, empty for the zero value.
func (k PublicKey) Kind() Kind {
	switch k.key.(type) {
	case *ecdsa.PublicKey:
		return ECDSA
	case ed25519.PublicKey:
		return Ed25519
	}
	return ""
}

// Equal reports whether both are one key, however it was written.
func (k PublicKey) Equal(other PublicKey) bool { return k.der == other.der && k.der != "" }

// Verify reports whether sig is k's signature of message.
func (k PublicKey) Verify(message, sig []byte) bool {
	switch key := k.key.(type) {
	case *ecdsa.PublicKey:
		sum := sha256.Sum256(message)
		return ecdsa.VerifyASN1(key, sum[:], sig)
	case ed25519.PublicKey:
		return ed25519.Verify(key, message, sig)
	}
	return false
}
