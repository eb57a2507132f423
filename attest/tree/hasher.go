package tree

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"io"

	"github.com/immure-dev/immure/internal/rootfs"
)

// A Hasher is a [rootfs.Store] that hashes contents on their way into another
// one, so that [Digest] need not read them again. With a nil Store they are
// hashed and dropped: the tree can be digested, its files not opened.
type Hasher struct {
	Store rootfs.Store
}

// Put implements [rootfs.Store].
func (h Hasher) Put(r io.Reader, size int64) (rootfs.Content, error) {
	store := h.Store
	if store == nil {
		store = dropped{}
	}
	w := &fileWriter{chunk: sha256.New()}
	inner, err := store.Put(io.TeeReader(r, w), size)
	if err != nil {
		return nil, err
	}
	if w.size != size {
		return nil, fmt.Errorf("hash content: read %d of %d bytes", w.size, size)
	}
	return &hashed{inner, size, w.sum()}, nil
}

// hashed is a Content whose file digest is known. Only this package makes it,
// so nothing else can claim a digest.
type hashed struct {
	rootfs.Content
	size int64
	sum  sum
}

// dropped is a Store that keeps nothing, and its contents.
type dropped struct{}

func (d dropped) Put(r io.Reader, _ int64) (rootfs.Content, error) {
	_, err := io.Copy(io.Discard, r)
	return d, err
}

func (dropped) Open() (io.ReadCloser, error) {
	return nil, errors.New("content was hashed and not kept")
}

// A fileWriter computes the file digest of what is written to it.
type fileWriter struct {
	chunk  hash.Hash
	inside int64 // bytes in the chunk begun
	chunks []sum
	size   int64
}

func (w *fileWriter) Write(p []byte) (int, error) {
	for rest := p; len(rest) > 0; {
		if w.inside == 0 {
			w.chunk.Reset()
			w.chunk.Write([]byte(chunkTag))
		}
		part := rest[:min(int64(len(rest)), chunkBytes-w.inside)]
		w.chunk.Write(part)
		w.inside += int64(len(part))
		w.size += int64(len(part))
		if w.inside == chunkBytes {
			w.endChunk()
		}
		rest = rest[len(part):]
	}
	return len(p), nil
}

func (w *fileWriter) endChunk() {
	w.chunks = append(w.chunks, sum(w.chunk.Sum(nil)))
	w.inside = 0
}

// sum ends the file.
func (w *fileWriter) sum() sum {
	if w.inside > 0 {
		w.endChunk()
	}
	return fileSum(w.size, w.chunks)
}
