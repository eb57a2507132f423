package main

import (
	"errors"

	"github.com/immure-dev/immure/attest/tree"
	"github.com/immure-dev/immure/internal/rootfs"
	"github.com/immure-dev/immure/internal/store"
	"github.com/immure-dev/immure/verify"
	"github.com/immure-dev/immure/verify/image"
)

// A root is an unpacked image in the private store, with the digest of what
// lies there now. It is held until release.
type root struct {
	dir     string
	tree    *rootfs.Tree
	digest  string
	release func()
}

// openRoot holds and digests the tree with the key, which unpack makes if it is
// absent.
func openRoot(storeDir, key string, unpack func(dir string) error) (*root, error) {
	s, err := store.Open(storeDir)
	if err != nil {
		return nil, err
	}
	dir, release, err := s.Rootfs(key, unpack)
	if err != nil {
		return nil, err
	}
	r := &root{dir: dir, release: release}
	if err := r.measure(); err != nil {
		release()
		return nil, err
	}
	return r, nil
}

func (r *root) measure() error {
	t, err := rootfs.ReadDir(r.dir, rootfs.DefaultLimits)
	if err != nil {
		return err
	}
	defer t.Close()
	r.tree = t
	r.digest, err = tree.Digest(t, tree.SealPath)
	return err
}

// A guess is a root that is digested while the image is still being judged. It
// was chosen by what a stranger wrote and is good for nothing until the seal
// that was verified names the same tree.
type guess struct {
	key  string
	root *root
	err  error
}

var errAbsent = errors.New("not in the store")

// A guesser digests the tree that an image's seal claims, if the store has it,
// while the image is judged. Its guess is taken with unpacked or dropped.
type guesser struct {
	store string
	made  chan guess // nil until there is a claim
}

// claimed begins with the tree of a digest.
func (g *guesser) claimed(digest string) {
	g.made = make(chan guess, 1)
	go func() {
		root, err := openRoot(g.store, digest, func(string) error { return errAbsent })
		g.made <- guess{digest, root, err}
	}()
}

// take waits for the guess.
func (g *guesser) take() guess {
	if g.made == nil {
		return guess{err: errAbsent}
	}
	return <-g.made
}

// drop lets go of a guess that nobody took.
func (g *guesser) drop() {
	if guessed := g.take(); guessed.root != nil {
		guessed.root.release()
	}
}

// unpacked gives the image's files from the private store, unpacked on first
// use, and checks every byte of them against the seal each time: what lies in
// the store is believed no more than what a registry sends.
func unpacked(guessed *guesser, img *opened, v *image.Verdict) (*root, error) {
	g := guessed.take()
	if v.TreeDigest == "" || g.err != nil || g.key != v.TreeDigest {
		if g.root != nil {
			g.root.release()
		}
		if v.TreeDigest == "" {
			return nil, verify.Refuse("signature", "no seal by a trusted key inside the image", "a seal",
				"seal it (immure seal): files can be checked against a seal only")
		}
		var err error
		g.root, err = openRoot(guessed.store, v.TreeDigest, func(dir string) error { return image.Extract(img.Image, dir) })
		if err != nil {
			return nil, err
		}
	}
	if g.root.digest != v.TreeDigest {
		g.root.release()
		return nil, verify.Refuse("files", tree.Algorithm+":"+g.root.digest, tree.Algorithm+":"+v.TreeDigest,
			"the files in the store were changed: remove "+g.root.dir+" and find out who did it")
	}
	return g.root, nil
}
