package bake

import (
	"bufio"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"os"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"github.com/klauspost/compress/gzip"

	"github.com/immure-dev/immure/internal/rootfs"
)

// compression of layers. The level is part of what makes images reproducible:
// another one gives other bytes.
const compression = gzip.BestSpeed

// memoryMax is the largest compressed layer that is kept in memory.
const memoryMax = 32 << 20

// A Layer is a compressed layer, kept until Close. It implements [v1.Layer].
type Layer struct {
	digest, diffID v1.Hash
	size           int64
	store          overflow
}

// NewLayer writes the tree as a layer.
func NewLayer(t *rootfs.Tree, c time.Time) (*Layer, error) {
	l := new(Layer)
	if err := l.write(t, c); err != nil {
		return nil, errors.Join(fmt.Errorf("bake layer: %w", err), l.Close())
	}
	return l, nil
}

func (l *Layer) write(t *rootfs.Tree, c time.Time) error {
	plain, packed := sha256.New(), sha256.New()
	out := bufio.NewWriterSize(io.MultiWriter(&l.store, packed), 1<<18)
	// The header holds no name and no time: the writer's zero value.
	z, err := gzip.NewWriterLevel(out, compression)
	if err != nil {
		return err
	}
	if err := t.WriteLayer(io.MultiWriter(z, plain), c); err != nil {
		return err
	}
	if err := z.Close(); err != nil {
		return err
	}
	if err := out.Flush(); err != nil {
		return err
	}
	l.diffID, l.digest, l.size = sum(plain), sum(packed), l.store.size
	return nil
}

func sum(h hash.Hash) v1.Hash {
	return v1.Hash{Algorithm: "sha256", Hex: hex.EncodeToString(h.Sum(nil))}
}

// Close gives the layer's space back.
func (l *Layer) Close() error { return l.store.Close() }

// Digest implements [v1.Layer].
func (l *Layer) Digest() (v1.Hash, error) { return l.digest, nil }

// DiffID implements [v1.Layer].
func (l *Layer) DiffID() (v1.Hash, error) { return l.diffID, nil }

// Size implements [v1.Layer].
func (l *Layer) Size() (int64, error) { return l.size, nil }

// MediaType implements [v1.Layer].
func (l *Layer) MediaType() (types.MediaType, error) { return types.OCILayer, nil }

// Compressed implements [v1.Layer].
func (l *Layer) Compressed() (io.ReadCloser, error) {
	return io.NopCloser(io.NewSectionReader(&l.store, 0, l.size)), nil
}

// Uncompressed implements [v1.Layer].
func (l *Layer) Uncompressed() (io.ReadCloser, error) {
	r, err := l.Compressed()
	if err != nil {
		return nil, err
	}
	return gzip.NewReader(r)
}

// An overflow holds bytes in memory, and in a file without a name once there
// are many.
type overflow struct {
	memory []byte
	file   *os.File
	size   int64
}

func (o *overflow) Write(p []byte) (int, error) {
	if o.file == nil && len(o.memory)+len(p) > memoryMax {
		f, err := os.CreateTemp("", "immure-layer-*")
		if err != nil {
			return 0, err
		}
		o.file = f
		if err := os.Remove(f.Name()); err != nil {
			return 0, err
		}
		if _, err := f.Write(o.memory); err != nil {
			return 0, err
		}
		o.memory = nil
	}
	if o.file == nil {
		o.memory = append(o.memory, p...)
		o.size += int64(len(p))
		return len(p), nil
	}
	n, err := o.file.Write(p)
	o.size += int64(n)
	return n, err
}

func (o *overflow) ReadAt(p []byte, off int64) (int, error) {
	if o.file != nil {
		return o.file.ReadAt(p, off)
	}
	if off >= int64(len(o.memory)) {
		return 0, io.EOF
	}
	n := copy(p, o.memory[off:])
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

func (o *overflow) Close() error {
	if o.file == nil {
		return nil
	}
	return o.file.Close()
}
