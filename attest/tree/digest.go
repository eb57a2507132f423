package tree

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"

	"github.com/immure-dev/immure/internal/rootfs"
)

// Algorithm names the digest in the digest set of a statement's subject.
const Algorithm = "immureTree1"

// SealPath is where an image holds its own seal. It is the only path that the
// digest of a sealed image leaves out.
const SealPath = "/.immure/seal.json"

// SealMaxBytes is the size of the largest seal.
const SealMaxBytes = 64 << 10

// Domain separation: what is hashed begins with one of these, none of which
// begins with another.
const (
	chunkTag = Algorithm + "/chunk\x00"
	fileTag  = Algorithm + "/file\x00"
	treeTag  = Algorithm + "/tree\x00"
)

// Digest is the tree digest of t in lower-case hexadecimal. Contents are read
// and hashed on all processors, with one small buffer for each; those that came
// through a [Hasher] are not read again.
//
// The paths of skip are left out. As nothing vouches for what stands there, it
// must be what a seal is: a regular file of root's, neither executable nor
// writable by others, without file capabilities, of at most [SealMaxBytes]. A
// skipped path that does not exist changes nothing.
func Digest(t *rootfs.Tree, skip ...string) (string, error) {
	return DigestContext(context.Background(), t, skip...)
}

// DigestContext is [Digest] until ctx ends, whose error it is then.
func DigestContext(ctx context.Context, t *rootfs.Tree, skip ...string) (string, error) {
	if err := t.Check(); err != nil {
		return "", fmt.Errorf("digest tree: %w", err)
	}
	nodes := make([]*rootfs.Node, 0, t.Len())
	for n := range t.All() {
		if !slices.Contains(skip, n.Path) {
			nodes = append(nodes, n)
			continue
		}
		if err := CheckSeal(n); err != nil {
			return "", fmt.Errorf("digest tree: leave out %q: %w", n.Path, err)
		}
	}
	contents, err := hashContents(ctx, nodes)
	if err != nil {
		return "", fmt.Errorf("digest tree: %w", err)
	}
	h := sha256.New()
	h.Write([]byte(treeTag))
	var entry []byte
	for i, n := range nodes {
		if entry, err = appendNode(entry[:0], n, contents[i]); err != nil {
			return "", fmt.Errorf("digest tree: %q: %w", n.Path, err)
		}
		h.Write(entry)
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

// CheckSeal reports what a file that is left out may not be.
func CheckSeal(n *rootfs.Node) error {
	switch {
	case n.Type != rootfs.Regular:
		return fmt.Errorf("it is a %s, not a regular file", n.Type)
	case n.UID != 0 || n.GID != 0:
		return fmt.Errorf("it belongs to %d:%d, not to root", n.UID, n.GID)
	case n.Mode&^0o644 != 0:
		return fmt.Errorf("its mode is %#o, at most 0644 may be", n.Mode)
	case n.Capability != nil:
		return errors.New("it has file capabilities")
	case n.Size > SealMaxBytes:
		return fmt.Errorf("it holds %d bytes, at most %d may be", n.Size, SealMaxBytes)
	}
	return nil
}
