//go:build e2e

package peers_test

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/remote"
)

// immure runs the built program in the bed's directory.
func (b *bed) immure(args ...string) (stdout string, status int) {
	b.t.Helper()
	program, err := filepath.Abs("../../bin/immure")
	b.must(err)
	cmd := exec.CommandContext(b.t.Context(), program, args...)
	cmd.Dir = b.dir
	cmd.Env = append(os.Environ(), "COSIGN_PASSWORD=")
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	err = cmd.Run()
	if cmd.ProcessState == nil {
		b.t.Fatalf("%v: run make build first", err)
	}
	b.t.Logf("immure %s: status %d\n%s", args[0], cmd.ProcessState.ExitCode(), errs.String())
	return strings.TrimSpace(out.String()), cmd.ProcessState.ExitCode()
}

// build pushes the example service, signed with key, and makes it the bed's
// image.
func (b *bed) build(key string) {
	b.t.Helper()
	file, err := filepath.Abs("../../examples/hello/immure.yaml")
	b.must(err)
	ref, status := b.immure("build", "-f", file, "--key", key, "--push", b.image.Context().String()+":v1")
	if status != 0 {
		b.t.Fatal("build failed")
	}
	b.image, err = name.NewDigest(ref)
	b.must(err)
	desc, err := remote.Head(b.image)
	b.must(err)
	b.desc = *desc
}

// Cosign accepts the statement that immure build pushes, with keys that either
// program made.
func TestCosignVerifiesWhatImmureBuilds(t *testing.T) {
	for maker, keygen := range map[string]func(*bed){
		"cosign's key": func(b *bed) {
			_, err := b.run("generate-key-pair")
			b.must(err)
		},
		"immure's ecdsa key":   func(b *bed) { b.immure("keygen") },
		"immure's ed25519 key": func(b *bed) { b.immure("keygen", "--type", "ed25519") },
	} {
		t.Run(maker, func(t *testing.T) {
			b := newBed(t)
			keygen(b)
			b.build("cosign.key")
			payload, err := b.verify()
			b.must(err)
			if !bytes.Contains(payload, []byte(`"sha256":"`+b.desc.Digest.Hex+`"`)) || !bytes.Contains(payload, []byte(predicateType)) {
				t.Errorf("cosign printed another statement: %.300s", payload)
			}
			if _, status := b.immure("verify", b.image.String(), "--key", "cosign.pub"); status != 0 {
				t.Errorf("immure verify: status %d", status)
			}
			_, other := b.sign(nil)
			b.writePublic(&other.PublicKey)
			if _, err := b.verify(); err == nil {
				t.Error("cosign accepted another key")
			}
			if _, status := b.immure("verify", b.image.String(), "--key", "cosign.pub"); status != 1 {
				t.Errorf("immure verify with another key: status %d", status)
			}
		})
	}
}

// Cosign signs and attests with a key that immure made, and what cosign attests
// beside an image does not disturb immure.
func TestImmureLivesBesideCosign(t *testing.T) {
	b := newBed(t)
	b.immure("keygen")
	b.build("cosign.key")
	b.write("predicate.json", []byte(`{"scanned":true}`))
	for _, args := range [][]string{
		{"sign", "--key", "cosign.key", "--tlog-upload=false", "--yes", b.image.String()},
		{"attest", "--key", "cosign.key", "--tlog-upload=false", "--yes", "--type", "https://example.com/scan/v1", "--predicate", "predicate.json", "--new-bundle-format", b.image.String()},
		{"attest", "--key", "cosign.key", "--tlog-upload=false", "--yes", "--type", "https://example.com/scan/v1", "--predicate", "predicate.json", b.image.String()},
	} {
		_, err := b.run(args...)
		b.must(err)
	}
	if _, err := b.run("verify", "--key", "cosign.pub", "--private-infrastructure", "--trusted-root", "root.json", b.image.String()); err != nil {
		t.Error(err)
	}
	if _, err := b.verify(); err != nil {
		t.Error(err)
	}
	if _, status := b.immure("verify", b.image.String(), "--key", "cosign.pub"); status != 0 {
		t.Errorf("immure verify: status %d", status)
	}
}
