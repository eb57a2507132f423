package main

import (
	"context"
	"crypto/sha256"
	"fmt"
	"math/rand/v2"
	"runtime"
	"sync"
	"sync/atomic"

	"github.com/immure-dev/immure/attest/tree"
	"github.com/immure-dev/immure/internal/rootfs"
)

// digest compares the tree digest of a directory in the page cache, its walk
// included, with SHA-256 of the same bytes in memory: on one core, and on all.
func digest(ctx context.Context, b *bed, r *report) error {
	r.title("digest: a directory in the page cache against its bytes in memory")
	for _, c := range []struct {
		name        string
		files, size int
	}{
		{"10 MB in 100 files", 100, 100 << 10},
		{"100 MB in 1000 files", 1000, 100 << 10},
		{"100 MB in one file", 1, 100 << 20},
	} {
		dir := fmt.Sprintf("digest-%d-%d", c.files, c.size)
		all, err := b.fill(dir, c.files, c.size)
		if err != nil {
			return err
		}
		if err := b.digests(ctx, r, c.name, b.path(dir), all); err != nil {
			return err
		}
	}
	return r.err
}

func (b *bed) digests(ctx context.Context, r *report, name, dir string, all []byte) error {
	cores := runtime.GOMAXPROCS(0)
	for _, workers := range []int{1, cores} {
		set := func(work func() error) func() error {
			return func() error {
				defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(workers))
				return work()
			}
		}
		on := fmt.Sprintf("%s, %d cores", name, workers)
		if workers == 1 {
			on = name + ", one core"
		}
		raced, err := b.race(
			ctx,
			contestant{name: "SHA-256, " + on, work: set(func() error { sum(all, workers); return nil })},
			contestant{name: "tree digest, " + on, work: set(func() error { return treeDigest(dir) })},
		)
		if err != nil {
			return err
		}
		r.table(raced)
		r.figure("tree digest against SHA-256, "+on, 1.5, median(raced[1].of(wall))/median(raced[0].of(wall)), "×")
		if cores == 1 {
			break
		}
	}
	return nil
}

// fill makes a directory of random files and returns their bytes.
func (b *bed) fill(dir string, files, size int) ([]byte, error) {
	random := rand.NewChaCha8([32]byte{})
	all := make([]byte, files*size)
	_, _ = random.Read(all) // never fails
	for i := range files {
		if err := b.write(fmt.Sprintf("%s/%04d", dir, i), all[i*size:(i+1)*size]); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// sum hashes everything, on several cores in pieces of the tree digest's size.
func sum(all []byte, workers int) {
	if workers == 1 {
		sha256.Sum256(all)
		return
	}
	const piece = 1 << 20
	var next atomic.Int64
	var wg sync.WaitGroup
	for range workers {
		wg.Go(func() {
			for at := next.Add(piece) - piece; at < int64(len(all)); at = next.Add(piece) - piece {
				sha256.Sum256(all[at:min(at+piece, int64(len(all)))])
			}
		})
	}
	wg.Wait()
}

func treeDigest(dir string) error {
	t, err := rootfs.ReadDir(dir, rootfs.DefaultLimits)
	if err != nil {
		return err
	}
	defer t.Close()
	_, err = tree.Digest(t)
	return err
}
