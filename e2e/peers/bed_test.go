//go:build e2e

package peers_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/immure-dev/immure/e2e/peers"
	"github.com/immure-dev/immure/internal/testregistry"
)

const (
	predicateType    = "https://github.com/immure-dev/immure/boundary/v1"
	inTotoType       = "application/vnd.in-toto+json"
	bundleMediaType  = "application/vnd.dev.sigstore.bundle.v0.3+json"
	legacyLayerType  = "application/vnd.dsse.envelope.v1+json"
	emptyTrustedRoot = `{"mediaType":"application/vnd.dev.sigstore.trustedroot+json;version=0.1"}`
)

// A bed is a registry with one image, a directory for keys, and cosign.
type bed struct {
	t      *testing.T
	dir    string
	cosign string
	image  name.Digest
	desc   v1.Descriptor
}

func newBed(t *testing.T) *bed {
	t.Helper()
	b := &bed{t: t, dir: t.TempDir(), cosign: peers.Program(t, "cosign")}
	img, err := random.Image(1<<10, 2)
	b.must(err)
	hash, err := img.Digest()
	b.must(err)
	repo, err := name.NewRepository(testregistry.Start(t) + "/service")
	b.must(err)
	b.image = repo.Digest(hash.String())
	b.must(remote.Write(b.image, img))
	desc, err := remote.Head(b.image)
	b.must(err)
	b.desc = *desc
	b.write("root.json", []byte(emptyTrustedRoot))
	return b
}

func (b *bed) must(err error) {
	b.t.Helper()
	if err != nil {
		b.t.Fatal(err)
	}
}

func (b *bed) write(file string, data []byte) {
	b.t.Helper()
	b.must(os.WriteFile(filepath.Join(b.dir, file), data, 0o600))
}

// run runs cosign in the bed's directory with no way out: a name server or a
// proxy that it tried to use would fail, and its message with it.
func (b *bed) run(args ...string) (stdout string, err error) {
	b.t.Helper()
	cmd := exec.CommandContext(b.t.Context(), b.cosign, args...)
	cmd.Dir = b.dir
	cmd.Env = []string{"HOME=" + b.dir, "COSIGN_PASSWORD=", "HTTPS_PROXY=http://127.0.0.1:1", "NO_PROXY=127.0.0.1"}
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("cosign %s: %w\n%s", args[0], err, errs.String())
	}
	if strings.Contains(errs.String(), "TUF") {
		return "", fmt.Errorf("cosign %s asked for its TUF root:\n%s", args[0], errs.String())
	}
	return out.String(), nil
}

// verify runs cosign's check of the boundary statement as the documentation of
// this project states it: with a key, and without a word to any other host.
func (b *bed) verify(more ...string) (payload []byte, err error) {
	b.t.Helper()
	args := append([]string{
		"verify-attestation", "--key", "cosign.pub", "--type", predicateType,
		"--private-infrastructure", "--trusted-root", "root.json",
	}, more...)
	out, err := b.run(append(args, b.image.String())...)
	if err != nil {
		return nil, err
	}
	var envelope struct{ Payload []byte }
	if err := json.Unmarshal([]byte(out), &envelope); err != nil {
		return nil, fmt.Errorf("decode cosign's answer: %w", err)
	}
	return envelope.Payload, nil
}

func (b *bed) statement() []byte {
	return fmt.Appendf(nil, `{"_type":"https://in-toto.io/Statement/v1","subject":[{"digest":{"sha256":%q}}],`+
		`"predicateType":%q,"predicate":{"service":"hello"}}`, b.desc.Digest.Hex, predicateType)
}

// sign makes a key, writes its public half as cosign.pub, and returns the
// signature of the DSSE pre-authentication encoding of payload.
func (b *bed) sign(payload []byte) (sig []byte, key *ecdsa.PrivateKey) {
	b.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	b.must(err)
	b.writePublic(&key.PublicKey)
	sum := sha256.Sum256(preAuth(payload))
	sig, err = ecdsa.SignASN1(rand.Reader, key, sum[:])
	b.must(err)
	return sig, key
}

func (b *bed) writePublic(key any) {
	b.t.Helper()
	der, err := x509.MarshalPKIXPublicKey(key)
	b.must(err)
	b.write("cosign.pub", pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))
}

// preAuth is DSSE's pre-authentication encoding of an in-toto payload.
func preAuth(payload []byte) []byte {
	return fmt.Appendf(nil, "DSSEv1 %d %s %d %s", len(inTotoType), inTotoType, len(payload), payload)
}

func (b *bed) hint(key *ecdsa.PrivateKey) string {
	b.t.Helper()
	der, err := x509.MarshalPKIXPublicKey(&key.PublicKey)
	b.must(err)
	sum := sha256.Sum256(der)
	return base64.StdEncoding.EncodeToString(sum[:])
}

// attach pushes one layer in a manifest: as a referrer of the image, or, with a
// tag, under that tag.
func (b *bed) attach(layer []byte, mediaType types.MediaType, tag string, annotations map[string]string) {
	b.t.Helper()
	img := mutate.MediaType(mutate.ConfigMediaType(empty.Image, types.OCIConfigJSON), types.OCIManifestSchema1)
	if tag == "" {
		img = mutate.ConfigMediaType(img, types.MediaType(bundleMediaType))
	}
	img, err := mutate.Append(img, mutate.Addendum{Layer: static.NewLayer(layer, mediaType), Annotations: annotations})
	b.must(err)
	if tag != "" {
		b.must(remote.Write(b.image.Context().Tag(tag), img))
		return
	}
	referrer := mutate.Subject(img, b.desc).(v1.Image)
	hash, err := referrer.Digest()
	b.must(err)
	b.must(remote.Write(b.image.Context().Digest(hash.String()), referrer))
}

// fingerprint is the key id that sigstore-go gives a key that has none: the
// fingerprint of its SSH form (RFC 5656, section 3.1).
func fingerprint(t *testing.T, key *ecdsa.PrivateKey) string {
	t.Helper()
	point, err := key.PublicKey.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	var wire []byte
	for _, field := range []string{"ecdsa-sha2-nistp256", "nistp256", string(point)} {
		wire = append(binary.BigEndian.AppendUint32(wire, uint32(len(field))), field...)
	}
	sum := sha256.Sum256(wire)
	return "SHA256:" + base64.RawStdEncoding.EncodeToString(sum[:])
}

func encode(t *testing.T, v any) []byte {
	t.Helper()
	data, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

type object = map[string]any
