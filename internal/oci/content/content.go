// Package content reads manifests and blobs by digest from places that are not
// trusted: a registry, a directory that someone handed over.
//
// Whatever a [Source] answers is measured before and while it is read and
// checked against its digest before it is used, so that a source can withhold
// but not deceive. Only SHA-256 digests are taken.
//
// A source speaks for one medium and lives with it: internal/oci/registry and
// internal/oci/layout. What the documents mean beyond their shape (OCI
// image-spec 1.1, manifest.md and image-index.md) is not known here, nor who
// signs what.
package content

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// Limits of what is read into memory and how many entries are looked at.
const (
	MaxManifestBytes = 4 << 20
	MaxConfigBytes   = 4 << 20
	MaxDescriptors   = 4096
	MaxLayers        = 512
)

// A Source answers by digest and is not believed. Readers end with an error
// once the context of their opening is done.
type Source interface {
	// Manifest opens the manifest or index of a digest.
	Manifest(ctx context.Context, digest v1.Hash) (io.ReadCloser, error)
	// Blob opens a configuration, a layer or another blob of a digest.
	Blob(ctx context.Context, digest v1.Hash) (io.ReadCloser, error)
	// Referrers lists the manifests whose subject is the digest, at most
	// [MaxDescriptors], more being an error.
	Referrers(ctx context.Context, digest v1.Hash) ([]v1.Descriptor, error)
}

// ReadManifest reads a manifest or index of at most most bytes.
func ReadManifest(ctx context.Context, from Source, digest v1.Hash, most int64) ([]byte, error) {
	if err := CheckDigest(digest); err != nil {
		return nil, fmt.Errorf("read manifest: %w", err)
	}
	r, err := from.Manifest(ctx, digest)
	if err != nil {
		return nil, fmt.Errorf("read manifest %s: %w", digest, err)
	}
	data, err := readAll(r, digest, -1, most)
	if err != nil {
		return nil, fmt.Errorf("read manifest %s: %w", digest, err)
	}
	return data, nil
}

// ReadBlob reads the blob of a descriptor that has at most most bytes.
func ReadBlob(ctx context.Context, from Source, desc v1.Descriptor, most int64) ([]byte, error) {
	if err := checkDescriptor(desc); err != nil {
		return nil, fmt.Errorf("read blob: %w", err)
	}
	if desc.Size > most {
		return nil, fmt.Errorf("read blob %s: %d bytes are more than %d", desc.Digest, desc.Size, most)
	}
	r, err := from.Blob(ctx, desc.Digest)
	if err != nil {
		return nil, fmt.Errorf("read blob %s: %w", desc.Digest, err)
	}
	data, err := readAll(r, desc.Digest, desc.Size, most)
	if err != nil {
		return nil, fmt.Errorf("read blob %s: %w", desc.Digest, err)
	}
	return data, nil
}

// OpenBlob streams a blob of any size. The reader fails at the first byte
// beyond the descriptor's size, and at the end when size or digest differ: what
// was read counts only once it has ended with [io.EOF].
func OpenBlob(ctx context.Context, from Source, desc v1.Descriptor) (io.ReadCloser, error) {
	if err := checkDescriptor(desc); err != nil {
		return nil, fmt.Errorf("open blob: %w", err)
	}
	r, err := from.Blob(ctx, desc.Digest)
	if err != nil {
		return nil, fmt.Errorf("open blob %s: %w", desc.Digest, err)
	}
	return newReader(r, desc.Digest, desc.Size, desc.Size), nil
}

func readAll(r io.ReadCloser, digest v1.Hash, size, most int64) ([]byte, error) {
	defer r.Close()
	var data bytes.Buffer
	if size > 0 {
		data.Grow(int(size) + bytes.MinRead) // as much as ReadFrom wants at the end
	}
	if _, err := data.ReadFrom(newReader(r, digest, size, most)); err != nil {
		return nil, err
	}
	return data.Bytes(), nil
}

// CheckDigest refuses digests of other algorithms than SHA-256.
func CheckDigest(h v1.Hash) error {
	if _, err := hex.DecodeString(h.Hex); h.Algorithm != "sha256" || len(h.Hex) != 64 || err != nil {
		return fmt.Errorf("digest %q is not a sha256 digest", h)
	}
	return nil
}

func checkDescriptor(d v1.Descriptor) error {
	if d.Size < 0 {
		return fmt.Errorf("%s has the size %d", d.Digest, d.Size)
	}
	return CheckDigest(d.Digest)
}

// A reader checks size and digest while it is read.
type reader struct {
	from   io.ReadCloser
	sum    hash.Hash
	want   v1.Hash
	size   int64 // -1: not known
	most   int64
	read   int64
	failed error
}

func newReader(from io.ReadCloser, want v1.Hash, size, most int64) *reader {
	return &reader{from: from, sum: sha256.New(), want: want, size: size, most: most}
}

func (r *reader) Close() error { return r.from.Close() }

func (r *reader) Read(p []byte) (int, error) {
	if r.failed != nil {
		return 0, r.failed
	}
	n, err := r.from.Read(p)
	r.sum.Write(p[:n])
	r.read += int64(n)
	switch {
	case r.read > r.most:
		n, err = 0, fmt.Errorf("more than %d bytes", r.most)
	case errors.Is(err, io.EOF):
		err = r.end()
	}
	r.failed = err
	return n, err
}

func (r *reader) end() error {
	if r.size >= 0 && r.read != r.size {
		return fmt.Errorf("got %d bytes, want %d", r.read, r.size)
	}
	if got := hex.EncodeToString(r.sum.Sum(nil)); got != r.want.Hex {
		return fmt.Errorf("got other bytes: their digest is sha256:%s", got)
	}
	return io.EOF
}
