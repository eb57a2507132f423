package keys_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/immure-dev/immure/attest/keys"
)

func must[T any](t testing.TB) func(T, error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

var kinds = []keys.Kind{keys.ECDSA, keys.Ed25519}

func TestRoundTrip(t *testing.T) {
	for _, kind := range kinds {
		t.Run(string(kind), func(t *testing.T) {
			key := must[keys.PrivateKey](t)(keys.Generate(kind))
			data := must[[]byte](t)(key.Encrypt([]byte("secret")))
			for _, block := range []string{"SIGSTORE", "COSIGN"} {
				old := bytes.ReplaceAll(data, []byte("SIGSTORE"), []byte(block))
				again := must[keys.PrivateKey](t)(keys.ParsePrivate(old, []byte("secret")))
				if !again.Public().Equal(key.Public()) {
					t.Error("the key came back as another")
				}
			}
			if _, err := keys.ParsePrivate(data, []byte("guess")); !errors.Is(err, keys.ErrPassword) {
				t.Errorf("got error %v, want ErrPassword", err)
			}
			public := must[keys.PublicKey](t)(keys.ParsePublic(key.Public().PEM()))
			if !public.Equal(key.Public()) || public.Kind() != kind || public.Hint() != key.Public().Hint() {
				t.Error("the public key came back as another")
			}
		})
	}
}

// One message and one key give one signature, and it verifies by that key and
// for that message alone.
func TestSignatures(t *testing.T) {
	for _, kind := range kinds {
		key, other := must[keys.PrivateKey](t)(keys.Generate(kind)), must[keys.PrivateKey](t)(keys.Generate(kind))
		rapid.Check(t, func(t *rapid.T) {
			message := rapid.SliceOf(rapid.Byte()).Draw(t, "message")
			sig, err1 := key.Sign(message)
			again, err2 := key.Sign(message)
			if err1 != nil || err2 != nil || !bytes.Equal(sig, again) {
				t.Fatalf("two signatures of one message: %x and %x, errors %v, %v", sig, again, err1, err2)
			}
			if !key.Public().Verify(message, sig) {
				t.Fatal("the signature does not verify")
			}
			if other.Public().Verify(message, sig) || key.Public().Verify(append(message, 0), sig) || (keys.PublicKey{}).Verify(message, sig) {
				t.Fatal("the signature verifies elsewhere")
			}
		})
	}
}

func TestZeroKeys(t *testing.T) {
	if (keys.PublicKey{}).Equal(keys.PublicKey{}) {
		t.Error("a key that is none equals another that is none")
	}
	if _, err := (keys.PrivateKey{}).Sign(nil); err == nil {
		t.Error("signed without a key")
	}
	if _, err := (keys.PrivateKey{}).Encrypt(nil); err == nil {
		t.Error("encrypted no key")
	}
	if _, err := keys.Generate("rsa"); err == nil {
		t.Error("made an RSA key")
	}
}

func pkix(t *testing.T, key any) []byte {
	t.Helper()
	return pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: must[[]byte](t)(x509.MarshalPKIXPublicKey(key))})
}

func TestParsePublicRefuses(t *testing.T) {
	key := must[keys.PrivateKey](t)(keys.Generate(keys.Ed25519))
	good := key.Public().PEM()
	p384 := must[*ecdsa.PrivateKey](t)(ecdsa.GenerateKey(elliptic.P384(), rand.Reader))
	small := must[*rsa.PrivateKey](t)(rsa.GenerateKey(rand.Reader, 2048))
	for _, tc := range []struct {
		name string
		data []byte
		want string
	}{
		{"empty", nil, "not a PEM file"},
		{"text", []byte("hello"), "not a PEM file"},
		{"private key", must[[]byte](t)(key.Encrypt(nil)), "give the public one"},
		{"two keys", append(good, good...), "more than one PEM block"},
		{"text before", append([]byte("x\n"), good...), "not a PEM file"},
		{"text after", append(good[:len(good):len(good)], "x"...), "more than one PEM block"},
		{"malformed block before", append([]byte("-----BEGIN PUBLIC KEY-----\n!\n-----END X-----\n"), good...), "malformed PEM block"},
		{"certificate", bytes.ReplaceAll(good, []byte("PUBLIC KEY"), []byte("CERTIFICATE")), `PEM block is "CERTIFICATE"`},
		{"P-384", pkix(t, &p384.PublicKey), "P-384: use P-256 or Ed25519"},
		{"RSA", pkix(t, &small.PublicKey), "rsa: use ECDSA on P-256 or Ed25519"},
		{"too large", bytes.Repeat([]byte("-"), keys.MaxFileBytes+1), "more than"},
		{"not DER", pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: []byte("x")}), "asn1"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			_, err := keys.ParsePublic(tc.data)
			if err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("got error %v, want %q in it", err, tc.want)
			}
		})
	}
}

func TestParsePrivateRefuses(t *testing.T) {
	key := must[keys.PrivateKey](t)(keys.Generate(keys.ECDSA))
	good := must[[]byte](t)(key.Encrypt(nil))
	box, _ := pem.Decode(good)
	changed := func(old, replacement string) []byte {
		body := bytes.Replace(box.Bytes, []byte(old), []byte(replacement), 1)
		if bytes.Equal(body, box.Bytes) {
			t.Fatalf("the key holds no %s", old)
		}
		return pem.EncodeToMemory(&pem.Block{Type: box.Type, Bytes: body})
	}
	for _, tc := range []struct {
		name string
		data []byte
		want string
	}{
		{"public key", key.Public().PEM(), "give the private one"},
		{"not encrypted", pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: []byte("x")}), "import-key-pair"},
		{"another block", pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: []byte("x")}), "CERTIFICATE"},
		{"scrypt of 2^40 rounds", changed(`"N":65536`, `"N":1099511627776`), "unsupported scrypt parameters"},
		{"scrypt of many lanes", changed(`"p":1`, `"p":65536`), "unsupported scrypt parameters"},
		{"another derivation", changed(`"scrypt"`, `"none"`), "unknown kdf"},
		{"another cipher", changed(`"nacl/secretbox"`, `"none"`), "unknown cipher"},
		{"short nonce", changed(`"nonce":"`, `"nonce":"","x":"`), "nonce"},
		{"no JSON", pem.EncodeToMemory(&pem.Block{Type: box.Type, Bytes: []byte("x")}), "invalid character"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			_, err := keys.ParsePrivate(tc.data, nil)
			if err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("got error %v, want %q in it", err, tc.want)
			}
		})
	}
}

func TestWriteFiles(t *testing.T) {
	dir := t.TempDir()
	private, public := filepath.Join(dir, "cosign.key"), filepath.Join(dir, "cosign.pub")
	key, other := must[keys.PrivateKey](t)(keys.Generate(keys.ECDSA)), must[keys.PrivateKey](t)(keys.Generate(keys.Ed25519))
	if err := keys.WriteFiles(private, public, key, []byte("secret"), false); err != nil {
		t.Fatal(err)
	}
	for path, mode := range map[string]fs.FileMode{private: 0o600, public: 0o644} {
		if info := must[fs.FileInfo](t)(os.Stat(path)); info.Mode() != mode {
			t.Errorf("%s has mode %v, want %v", path, info.Mode(), mode)
		}
	}
	password := func() ([]byte, error) { return []byte("secret"), nil }
	load := func() keys.PublicKey {
		t.Helper()
		k := must[keys.PrivateKey](t)(keys.LoadPrivate(private, password)).Public()
		if !k.Equal(must[keys.PublicKey](t)(keys.LoadPublic(public))) {
			t.Error("the two files hold two keys")
		}
		return k
	}
	if err := keys.WriteFiles(private, public, other, nil, false); !errors.Is(err, fs.ErrExist) || !load().Equal(key.Public()) {
		t.Errorf("got error %v over existing files, want fs.ErrExist and the old key", err)
	}
	if err := os.Remove(private); err != nil {
		t.Fatal(err)
	}
	if err := keys.WriteFiles(private, public, other, nil, false); !errors.Is(err, fs.ErrExist) {
		t.Errorf("got error %v over an existing public key, want fs.ErrExist", err)
	}
	if _, err := os.Lstat(private); !errors.Is(err, fs.ErrNotExist) {
		t.Error("a refused pair left its private key")
	}
	if err := keys.WriteFiles(private, public, other, []byte("secret"), true); err != nil || !load().Equal(other.Public()) {
		t.Errorf("got error %v with force, want the new key", err)
	}
	if left := must[[]os.DirEntry](t)(os.ReadDir(dir)); len(left) != 2 {
		t.Errorf("left %v, want two files", left)
	}
}

// The password is not asked for when the file is no encrypted key.
func TestLoadPrivateAsksLast(t *testing.T) {
	path := filepath.Join(t.TempDir(), "cosign.pub")
	if err := os.WriteFile(path, must[keys.PrivateKey](t)(keys.Generate(keys.ECDSA)).Public().PEM(), 0o644); err != nil {
		t.Fatal(err)
	}
	_, err := keys.LoadPrivate(path, func() ([]byte, error) {
		t.Error("the password was asked for")
		return nil, nil
	})
	if err == nil || !strings.Contains(err.Error(), "give the private one") {
		t.Errorf("got error %v", err)
	}
	if _, err := keys.LoadPublic("/dev/zero"); err == nil || !strings.Contains(err.Error(), "more than") {
		t.Errorf("got error %v from an endless file", err)
	}
}

func FuzzParse(f *testing.F) {
	key := must[keys.PrivateKey](f)(keys.Generate(keys.Ed25519))
	f.Add(key.Public().PEM())
	// Of another kind of scrypt, so that no input costs a derivation of a key.
	f.Add([]byte("-----BEGIN ENCRYPTED SIGSTORE PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED SIGSTORE PRIVATE KEY-----\n"))
	f.Add([]byte("-----BEGIN PUBLIC KEY-----\n-----END PUBLIC KEY-----\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		if k, err := keys.ParsePublic(data); err == nil {
			again, err := keys.ParsePublic(k.PEM())
			if err != nil || !again.Equal(k) {
				t.Error("a public key does not survive its own form")
			}
		}
		if _, err := keys.ParsePrivate(data, nil); err == nil {
			t.Error("opened a private key that nobody made")
		}
	})
}
