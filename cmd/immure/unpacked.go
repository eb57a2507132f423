package main

import (
	"context"
	"fmt"
	"os"
	"sync"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/immure-dev/immure/attest/tree"
	"github.com/immure-dev/immure/internal/rootfs"
	"github.com/immure-dev/immure/internal/store"
	"github.com/immure-dev/immure/verify"
	"github.com/immure-dev/immure/verify/image"
)

// A root is an unpacked image in the private store. It is held until release.
type root struct {
	dir    string
	signed string // the tree digest
	tree   *rootfs.Tree
	unlock func()

	once sync.Once // to look at the files
	err  error     // what was found
}

// unpacked gives the image's files from the private store, unpacked on first
// use. The store has none that were not the signed ones when they came into it;
// whether they still are is to be asked of the root each time.
func unpacked(ctx context.Context, storeDir string, img *opened, v *image.Verdict) (*root, error) {
	if v.TreeDigest == "" {
		return nil, verify.Refuse("signature", "no seal by a trusted key inside the image", "a seal",
			"seal it (immure seal): files can be checked against a seal only")
	}
	type result struct {
		r   *root
		err error
	}
	done, begun := make(chan result, 1), make(chan struct{})
	begin := sync.OnceFunc(func() { close(begun) }) // a tree that was pruned at once is unpacked again
	go func() {
		r, err := openRoot(storeDir, v.TreeDigest, func(dir string) error {
			begin()
			return unpack(ctx, img.Image, dir, v.TreeDigest)
		})
		done <- result{r, err}
	}()
	select {
	case got := <-done:
		return got.r, got.err
	case <-begun: // whose end, with ctx too, leaves nothing half unpacked
		got := <-done
		return got.r, got.err
	case <-ctx.Done(): // while another run unpacks the same
		return nil, ctx.Err()
	}
}

// unpack fills a directory of the store, and only with what was signed: the
// image may be a stranger's, with the seal of another.
func unpack(ctx context.Context, img v1.Image, dir, signed string) error {
	if err := image.Extract(img, dir); err != nil {
		return err
	}
	t, err := rootfs.ReadDir(dir, rootfs.DefaultLimits)
	if err != nil {
		return err
	}
	defer t.Close()
	got, err := tree.DigestContext(ctx, t, tree.SealPath)
	if err == nil && got != signed {
		err = verify.Refuse("files", tree.Algorithm+":"+got, tree.Algorithm+":"+signed,
			"the files are not those that were sealed: build and seal again, or fetch the image again")
	}
	return err
}

func openRoot(storeDir, key string, unpack func(dir string) error) (*root, error) {
	s, err := store.Open(storeDir)
	if err != nil {
		return nil, err
	}
	dir, unlock, err := s.Rootfs(key, unpack)
	if err != nil {
		return nil, err
	}
	t, err := rootfs.ReadDir(dir, rootfs.DefaultLimits)
	if err != nil {
		unlock()
		return nil, err
	}
	return &root{dir: dir, signed: key, tree: t, unlock: unlock}, nil
}

func (r *root) release() {
	r.once.Do(func() {}) // nobody reads any more
	_ = r.tree.Close()   // only read from
	r.unlock()
}

// check looks at every byte, once, and wants the files to be the signed ones:
// what lies in the store is believed no more than what a registry sends.
func (r *root) check(ctx context.Context) error {
	r.once.Do(func() {
		got, err := tree.DigestContext(ctx, r.tree, tree.SealPath)
		if err == nil && got != r.signed {
			err = verify.Refuse("files", tree.Algorithm+":"+got, tree.Algorithm+":"+r.signed,
				"the files in the store were changed: remove "+r.dir+" and find out who did it")
		}
		r.err = err
	})
	return r.err
}

// is wants a container's root to be the directory that was looked at, whatever
// its path leads to by now.
func (r *root) is(pid int) error {
	entered, err := os.Stat(fmt.Sprintf("/proc/%d/root", pid))
	if err != nil {
		return err
	}
	looked, err := r.tree.Stat()
	if err != nil {
		return err
	}
	if !os.SameFile(entered, looked) {
		return verify.Refuse("files", "another root directory than "+r.dir, "the one that was looked at",
			"keep the store (--store) where only root can rename directories")
	}
	return nil
}
