package tree_test

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/immure-dev/immure/attest/tree"
	"github.com/immure-dev/immure/internal/rootfs"
)

// BenchmarkDigest compares the digest of a directory in the page cache, the
// walk included, with SHA-256 of the same bytes in memory: on one processor and
// on all of them. Compare within one run only.
func BenchmarkDigest(b *testing.B) {
	for _, c := range []struct {
		name        string
		files, size int
	}{
		{"10MB-in-100-files", 100, 100 << 10},
		{"100MB-in-1000-files", 1000, 100 << 10},
		{"100MB-in-1-file", 1, 100 << 20},
	} {
		dir, all := b.TempDir(), make([]byte, 0, c.files*c.size)
		random := rand.NewChaCha8([32]byte{})
		for i := range c.files {
			content := make([]byte, c.size)
			random.Read(content)
			all = append(all, content...)
			if err := os.WriteFile(filepath.Join(dir, fmt.Sprint(i)), content, 0o644); err != nil {
				b.Fatal(err)
			}
		}
		b.Run(c.name+"/memory-1", func(b *testing.B) { benchMemory(b, all, 1) })
		b.Run(c.name+"/memory-all", func(b *testing.B) { benchMemory(b, all, runtime.GOMAXPROCS(0)) })
		b.Run(c.name+"/digest-1", func(b *testing.B) {
			defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
			benchDigest(b, dir, len(all))
		})
		b.Run(c.name+"/digest-all", func(b *testing.B) { benchDigest(b, dir, len(all)) })
	}
}

func benchMemory(b *testing.B, all []byte, workers int) {
	b.SetBytes(int64(len(all)))
	for b.Loop() {
		if workers == 1 {
			sha256.Sum256(all)
			continue
		}
		var next atomic.Int64
		var wg sync.WaitGroup
		for range workers {
			wg.Go(func() {
				const part = 1 << 20
				for off := next.Add(part) - part; off < int64(len(all)); off = next.Add(part) - part {
					sha256.Sum256(all[off:min(off+part, int64(len(all)))])
				}
			})
		}
		wg.Wait()
	}
}

func benchDigest(b *testing.B, dir string, size int) {
	b.SetBytes(int64(size))
	for b.Loop() {
		t, err := rootfs.ReadDir(dir, rootfs.DefaultLimits)
		if err != nil {
			b.Fatal(err)
		}
		if _, err := tree.Digest(t); err != nil {
			b.Fatal(err)
		}
		t.Close()
	}
}

// BenchmarkApply is the digest of a layer that is read once, as when an image
// is verified.
func BenchmarkApply(b *testing.B) {
	var t rootfs.Tree
	content := make([]byte, 100<<10)
	rand.NewChaCha8([32]byte{}).Read(content)
	t.Put(rootfs.Node{Path: "/", Type: rootfs.Directory, Mode: 0o755})
	for i := range 100 {
		t.Put(rootfs.Node{Path: fmt.Sprintf("/%d", i), Type: rootfs.Regular, Mode: 0o644, Size: int64(len(content)), Content: rootfs.Bytes(content)})
	}
	var layer bytes.Buffer
	if err := t.WriteLayer(&layer, epoch); err != nil {
		b.Fatal(err)
	}
	b.SetBytes(t.Size())
	for b.Loop() {
		var got rootfs.Tree
		if err := got.Apply(bytes.NewReader(layer.Bytes()), tree.Hasher{}, rootfs.DefaultLimits); err != nil {
			b.Fatal(err)
		}
		if _, err := tree.Digest(&got); err != nil {
			b.Fatal(err)
		}
	}
}
