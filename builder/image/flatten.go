package image

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/immure-dev/immure/internal/rootfs"
)

// maxLayers is the most layers that engines mount. Source: moby/moby layer/layer_store.go,
// maxLayerDepth, rounded up.
const maxLayers = 128

// check looks at what the digests, which have been followed, do not say.
func (i *Image) check() error {
	m, err := i.Manifest()
	if err != nil {
		return err
	}
	if len(m.Layers) > maxLayers {
		return fmt.Errorf("image has more than %d layers", maxLayers)
	}
	c, err := i.ConfigFile()
	if err != nil {
		return err
	}
	if c.OS != platform.OS || c.Architecture != platform.Architecture {
		return fmt.Errorf("image is for %s/%s, not %s", c.OS, c.Architecture, platform)
	}
	if len(c.RootFS.DiffIDs) != len(m.Layers) {
		return fmt.Errorf("configuration lists %d layers, manifest %d", len(c.RootFS.DiffIDs), len(m.Layers))
	}
	return nil
}

// Flatten applies every layer in order. Contents go to the store. Progress is
// told how many layers are done.
func (i *Image) Flatten(ctx context.Context, s rootfs.Store, l rootfs.Limits, progress func(done, total int64)) (*rootfs.Tree, error) {
	layers, err := i.Layers()
	if err != nil {
		return nil, err
	}
	c, err := i.ConfigFile()
	if err != nil {
		return nil, err
	}
	tree := new(rootfs.Tree)
	for n, layer := range layers {
		progress(int64(n), int64(len(layers)))
		if err := apply(ctx, tree, layer, c.RootFS.DiffIDs[n], s, l); err != nil {
			return nil, fmt.Errorf("apply layer %d: %w", n+1, err)
		}
	}
	progress(int64(len(layers)), int64(len(layers)))
	return tree, nil
}

// apply reads one layer to its end and compares its digest with the one in the
// configuration, whose own digest has been followed from the image's.
func apply(ctx context.Context, tree *rootfs.Tree, layer v1.Layer, want v1.Hash, s rootfs.Store, l rootfs.Limits) error {
	r, err := layer.Uncompressed()
	if err != nil {
		return err
	}
	defer r.Close()
	sum := sha256.New()
	in := io.TeeReader(cancelled{ctx, r}, sum)
	if err := tree.Apply(in, s, l); err != nil {
		return err
	}
	// What follows the archive's end is padding, and not much of it.
	if n, err := io.Copy(io.Discard, io.LimitReader(in, maxDocument+1)); err != nil {
		return err
	} else if n > maxDocument {
		return fmt.Errorf("more than %d bytes after the archive's end", maxDocument)
	}
	got := sum.Sum(nil)
	if decoded, err := hex.DecodeString(want.Hex); err != nil || want.Algorithm != "sha256" || !bytes.Equal(decoded, got) {
		return fmt.Errorf("content has the digest sha256:%x, not %s", got, want)
	}
	return nil
}

// cancelled is a reader that ends with its context.
type cancelled struct {
	ctx context.Context
	r   io.Reader
}

func (c cancelled) Read(p []byte) (int, error) {
	if err := c.ctx.Err(); err != nil {
		return 0, err
	}
	return c.r.Read(p)
}
