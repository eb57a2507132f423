package keys

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"

	"github.com/secure-systems-lab/go-securesystemslib/encrypted"
)

const (
	sigstoreBlock = "ENCRYPTED SIGSTORE PRIVATE KEY"
	cosignBlock   = "ENCRYPTED COSIGN PRIVATE KEY"
)

// ErrPassword reports that a private key does not open with the password.
var ErrPassword = errors.New("wrong password, or the key file was changed")

// A PrivateKey signs. The zero value cannot.
type PrivateKey struct {
	signer crypto.Signer
	public PublicKey
}

// Generate makes a new key.
func Generate(kind Kind) (PrivateKey, error) {
	switch kind {
	case ECDSA:
		key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			return PrivateKey{}, fmt.Errorf("generate key: %w", err)
		}
		return private(key)
	case Ed25519:
		_, key, err := ed25519.GenerateKey(rand.Reader)
		if err != nil {
			return PrivateKey{}, fmt.Errorf("generate key: %w", err)
		}
		return private(key)
	}
	return PrivateKey{}, fmt.Errorf("generate key: type %q is none of \"ecdsa\", \"ed25519\"", kind)
}

func private(signer crypto.Signer) (PrivateKey, error) {
	public, err := Public(signer.Public())
	if err != nil {
		return PrivateKey{}, err
	}
	return PrivateKey{signer: signer, public: public}, nil
}

// Public is the key that verifies what k signs.
func (k PrivateKey) Public() PublicKey { return k.public }

// Sign returns the one signature of message by k: the same each time.
func (k PrivateKey) Sign(message []byte) ([]byte, error) {
	switch key := k.signer.(type) {
	case *ecdsa.PrivateKey:
		sum := sha256.Sum256(message)
		// No random source asks for the nonce of RFC 6979.
		return key.Sign(nil, sum[:], crypto.SHA256)
	case ed25519.PrivateKey:
		return key.Sign(nil, message, crypto.Hash(0))
	}
	return nil, errors.New("sign: no private key")
}

// Encrypt returns the key as PEM under a password, which may be empty.
func (k PrivateKey) Encrypt(password []byte) ([]byte, error) {
	if k.signer == nil {
		return nil, errors.New("encrypt key: no private key")
	}
	der, err := x509.MarshalPKCS8PrivateKey(k.signer)
	if err != nil {
		return nil, fmt.Errorf("encrypt key: %w", err)
	}
	box, err := encrypted.Encrypt(der, password)
	if err != nil {
		return nil, fmt.Errorf("encrypt key: %w", err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: sigstoreBlock, Bytes: box}), nil
}

// ParsePrivate reads what [PrivateKey.Encrypt] or cosign wrote.
func ParsePrivate(data, password []byte) (PrivateKey, error) {
	box, err := encryptedBox(data)
	if err != nil {
		return PrivateKey{}, fmt.Errorf("read private key: %w", err)
	}
	// The library takes three sets of scrypt parameters (N of 2^15 to 2^17), so
	// a file cannot ask for more memory or time than those.
	der, err := encrypted.Decrypt(box, password)
	if err != nil {
		if knownForm(box) {
			err = ErrPassword
		}
		return PrivateKey{}, fmt.Errorf("read private key: %w", err)
	}
	key, err := x509.ParsePKCS8PrivateKey(der)
	if err != nil {
		return PrivateKey{}, fmt.Errorf("read private key: %w", err)
	}
	signer, ok := key.(crypto.Signer)
	if !ok {
		return PrivateKey{}, fmt.Errorf("read private key: a %s key cannot sign", typeName(key))
	}
	k, err := private(signer)
	if err != nil {
		return PrivateKey{}, fmt.Errorf("read private key: %w", err)
	}
	return k, nil
}

func encryptedBox(data []byte) ([]byte, error) {
	block, err := oneBlock(data)
	if err != nil {
		return nil, err
	}
	switch block.Type {
	case sigstoreBlock, cosignBlock:
		return block.Bytes, nil
	case "PUBLIC KEY":
		return nil, errors.New("this is a public key: give the private one (cosign.key)")
	case "PRIVATE KEY", "EC PRIVATE KEY", "RSA PRIVATE KEY":
		return nil, errors.New("this key is not encrypted: turn it into cosign's form with cosign import-key-pair")
	}
	return nil, fmt.Errorf("PEM block is %q, want %q", block.Type, sigstoreBlock)
}

// knownForm reports whether the box names what the library opens, so that only
// the password is left to be wrong.
func knownForm(box []byte) bool {
	var form struct {
		KDF struct {
			Name   string
			Params struct{ N, R, P int }
		}
		Cipher struct {
			Name  string
			Nonce []byte
		}
	}
	err := json.Unmarshal(box, &form)
	p := form.KDF.Params
	return err == nil && form.KDF.Name == "scrypt" && form.Cipher.Name == "nacl/secretbox" && len(form.Cipher.Nonce) == 24 &&
		(p.N == 1<<15 || p.N == 1<<16 || p.N == 1<<17) && p.R == 8 && p.P == 1
}
