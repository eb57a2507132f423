package bake

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"os"
	"strings"
	"testing"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/immure-dev/immure/harden"
	"github.com/immure-dev/immure/harden/seccomp"
	"github.com/immure-dev/immure/internal/rootfs"
	"github.com/immure-dev/immure/profiles"
)

var epoch = time.Unix(0, 0)

func aPair(t *testing.T) harden.Pair {
	t.Helper()
	p, err := profiles.Get("go-static")
	if err != nil {
		t.Fatal(err)
	}
	env, err := profiles.Restricted(p.Boundary)
	if err != nil {
		t.Fatal(err)
	}
	return harden.Pair{Service: p.Boundary, Envelope: env}
}

func TestFiles(t *testing.T) {
	pair := aPair(t)
	floor := harden.SyscallRule{Names: []string{"execve"}, Action: harden.Allow}
	f, err := NewFiles("hello", pair, floor)
	if err != nil {
		t.Fatal(err)
	}
	again, err := harden.DecodePair(f.Boundary)
	if err != nil || !again.Service.Within(pair.Service) || !pair.Service.Within(again.Service) {
		t.Errorf("boundary.json does not read back: %v", err)
	}
	sum := sha256.Sum256(f.Boundary)
	if f.BoundaryDigest != "sha256:"+hex.EncodeToString(sum[:]) {
		t.Errorf("digest %s", f.BoundaryDigest)
	}
	want, err := seccomp.RenderJSON(pair.Service.Syscalls.With(floor))
	if err != nil || !bytes.Equal(f.Seccomp, want) || !bytes.Equal(f.Artifact.Layer, want) {
		t.Errorf("seccomp.json is not service and floor: %v", err)
	}
	if !strings.Contains(f.AppArmor, "profile \"immure-hello-") {
		t.Errorf("AppArmor profile is %q", f.AppArmor)
	}
	for _, n := range f.Nodes() {
		if n.UID != 0 || n.GID != 0 || n.Mode&0o222 != 0 || !strings.HasPrefix(n.Path, Dir) {
			t.Errorf("%s is of %d:%d, mode %04o", n.Path, n.UID, n.GID, n.Mode)
		}
	}
}

func TestFilesOfAnUnconfinedEnvelope(t *testing.T) {
	pair := aPair(t)
	pair.Envelope.Syscalls = harden.Unconfined()
	f, err := NewFiles("hello", pair)
	if err != nil {
		t.Fatal(err)
	}
	if f.SeccompEnvelope != nil || len(f.Nodes()) != 4 {
		t.Errorf("a profile that allows everything is baked: %s", f.SeccompEnvelope)
	}
}

func TestFilesRefuse(t *testing.T) {
	pair := aPair(t)
	pair.Service.Rootfs = "writable"
	if _, err := NewFiles("hello", pair); err == nil || !strings.Contains(err.Error(), "not within envelope") {
		t.Errorf("a service beyond its envelope is baked: %v", err)
	}
}

func TestSealLayer(t *testing.T) {
	for _, size := range []int{0, MaxSealBytes + 1} {
		if _, err := SealLayer(make([]byte, size), epoch); err == nil {
			t.Errorf("a seal of %d bytes is baked", size)
		}
	}
	l, err := SealLayer(make([]byte, MaxSealBytes), epoch)
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Close(); err != nil {
		t.Error(err)
	}
}

// TestLargeLayer writes a layer that does not fit into memory.
func TestLargeLayer(t *testing.T) {
	tmp := t.TempDir()
	t.Setenv("TMPDIR", tmp)
	content := noise(memoryMax + 1<<20)
	tree, err := treeOf(rootfs.Node{Path: "/noise", Type: rootfs.Regular, Mode: 0o444, Size: int64(len(content)), Content: rootfs.Bytes(content)})
	if err != nil {
		t.Fatal(err)
	}
	l, err := NewLayer(tree, epoch)
	if err != nil {
		t.Fatal(err)
	}
	if l.store.file == nil {
		t.Fatalf("%d bytes are in memory", l.size)
	}
	packed, err := l.Compressed()
	if err != nil {
		t.Fatal(err)
	}
	h, size, err := v1.SHA256(packed)
	if err != nil || h != l.digest || size != l.size {
		t.Errorf("read %s of %d bytes, wrote %s of %d: %v", h, size, l.digest, l.size, err)
	}
	if err := l.Close(); err != nil {
		t.Error(err)
	}
	if left, err := os.ReadDir(tmp); err != nil || len(left) > 0 {
		t.Errorf("left %v, %v", left, err)
	}
}

// noise is n bytes that do not compress.
func noise(n int) []byte {
	out := make([]byte, 0, n+sha256.Size)
	sum := sha256.Sum256(nil)
	for len(out) < n {
		sum = sha256.Sum256(sum[:])
		out = append(out, sum[:]...)
	}
	return out[:n]
}

func TestLayerReadsAt(t *testing.T) {
	o := &overflow{}
	if _, err := io.WriteString(o, "hello"); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		off  int64
		size int
		want string
	}{{0, 5, "hello"}, {3, 5, "lo"}, {5, 1, ""}, {9, 1, ""}} {
		p := make([]byte, c.size)
		n, err := o.ReadAt(p, c.off)
		if string(p[:n]) != c.want || (n < c.size) != (err == io.EOF) {
			t.Errorf("at %d: %q, %v; want %q", c.off, p[:n], err, c.want)
		}
	}
}
