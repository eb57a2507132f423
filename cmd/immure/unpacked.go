package main

import (
	"context"
	"errors"
	"sync"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/immure-dev/immure/attest/tree"
	"github.com/immure-dev/immure/internal/oci/content"
	"github.com/immure-dev/immure/internal/rootfs"
	"github.com/immure-dev/immure/internal/store"
	"github.com/immure-dev/immure/verify"
	"github.com/immure-dev/immure/verify/image"
)

// A root is an unpacked image in the private store. It is held until release.
type root struct {
	dir  string
	tree *rootfs.Tree
	// digest gives the digest of what lies there now, which it computes once.
	digest func() (string, error)
	unlock func()
	// doubt has the files looked at before a runtime is let near them, next time.
	doubt func()
}

// openRoot holds the tree with the key, which unpack makes if it is absent.
func openRoot(s *store.Store, key string, unpack func(dir string) error) (*root, error) {
	dir, unlock, err := s.Rootfs(key, unpack)
	if err != nil {
		return nil, err
	}
	t, err := rootfs.ReadDir(dir, rootfs.DefaultLimits)
	if err != nil {
		unlock()
		return nil, err
	}
	digest := sync.OnceValues(func() (string, error) { return tree.DigestOn(1, t, tree.SealPath) })
	return &root{dir: dir, tree: t, digest: digest, unlock: unlock, doubt: func() {}}, nil
}

func (r *root) release() {
	_ = r.tree.Close() // only read from
	r.unlock()
}

// check wants the digest to be the one that was signed: what lies in the store
// is believed no more than what a registry sends.
func (r *root) check(signed string) error {
	got, err := r.digest()
	if err == nil && got == signed {
		return nil
	}
	r.doubt()
	if err == nil {
		return verify.Refuse("files", tree.Algorithm+":"+got, tree.Algorithm+":"+signed,
			"the files in the store were changed: remove "+r.dir+" and find out who did it")
	}
	return err
}

// A guesser finds the tree that an image unpacked to before, when it was seen
// to be the one that was signed, while the image is being fetched and judged.
// The tree is taken with unpacked or dropped.
type guesser struct {
	store    string
	manifest v1.Hash
	root     func() (*root, string) // waits; nil when there is none
}

var errAbsent = errors.New("not in the store")

// open reads an image as [image.Open] does and begins with the tree.
func (g *guesser) open(ctx context.Context, from content.Source, digest v1.Hash) (image.Input, error) {
	g.manifest, g.root = digest, sync.OnceValues(g.guess)
	go g.root()
	return image.Open(ctx, from, digest)
}

func (g *guesser) guess() (*root, string) {
	s, err := store.Open(g.store)
	if err != nil {
		return nil, ""
	}
	key, ok := s.Hinted(g.manifest.Hex)
	if !ok {
		return nil, ""
	}
	r, err := openRoot(s, key, func(string) error { return errAbsent })
	if err != nil {
		return nil, ""
	}
	r.doubt = func() { s.Unhint(g.manifest.Hex) }
	return r, key
}

// drop lets go of a tree that nobody took.
func (g *guesser) drop() {
	if g.root == nil {
		return
	}
	if r, _ := g.root(); r != nil {
		r.release()
	}
}

// unpacked gives the image's files from the private store, unpacked on first
// use. Whether every byte is what was sealed is looked at each time.
//
// Files that the store has seen to be so before are left to be checked while a
// runtime sets up their container, before any of them is executed. Files of an
// image that is here for the first time, and may be a stranger's with another's
// seal, are checked before a runtime is let near them.
func unpacked(g *guesser, img *opened, v *image.Verdict) (*root, error) {
	if v.TreeDigest == "" {
		g.drop()
		return nil, verify.Refuse("signature", "no seal by a trusted key inside the image", "a seal",
			"seal it (immure seal): files can be checked against a seal only")
	}
	if r, key := g.root(); r != nil && key == v.TreeDigest {
		return r, nil
	}
	g.drop()
	s, err := store.Open(g.store)
	if err != nil {
		return nil, err
	}
	r, err := openRoot(s, v.TreeDigest, func(dir string) error { return image.Extract(img.Image, dir) })
	if err != nil {
		return nil, err
	}
	if err := r.check(v.TreeDigest); err != nil {
		r.release()
		return nil, err
	}
	s.Hint(v.Manifest.Hex, v.TreeDigest)
	return r, nil
}
