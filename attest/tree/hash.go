package tree

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"hash"
	"io"
)

// chunkBytes is how much of a file goes into one chunk digest.
const chunkBytes = 1 << 20

// errLonger reports a content with more bytes than its node says.
var errLonger = errors.New("content is longer than its size")

// chunkCount is the number of chunks of a file of size bytes.
func chunkCount(size int64) int64 { return (size + chunkBytes - 1) / chunkBytes }

// fileSum is the file digest, from the digests of all chunks in order.
func fileSum(size int64, chunks []sum) sum {
	h := sha256.New()
	h.Write([]byte(fileTag))
	h.Write(binary.BigEndian.AppendUint64(nil, uint64(size)))
	for i := range chunks {
		h.Write(chunks[i][:])
	}
	return sum(h.Sum(nil))
}

// A chunkHash hashes one chunk after another, with one buffer.
type chunkHash struct {
	hash.Hash
	buf []byte
}

func newChunkHash() *chunkHash {
	return &chunkHash{sha256.New(), make([]byte, readBytes)}
}

// readBytes is the size of one read: large enough for few system calls, small
// enough to be in the processor's cache when it is hashed.
const readBytes = 64 << 10

// chunk gives the digest of the next size bytes of r.
func (c *chunkHash) chunk(r io.Reader, size int64) (s sum, err error) {
	c.Reset()
	c.Write([]byte(chunkTag))
	for left := size; left > 0; {
		n, err := io.ReadFull(r, c.buf[:min(left, readBytes)])
		c.Write(c.buf[:n])
		left -= int64(n)
		if err == io.EOF || err == io.ErrUnexpectedEOF {
			return s, fmt.Errorf("content is shorter than its size: %w", io.ErrUnexpectedEOF)
		}
		if err != nil {
			return s, err
		}
	}
	c.Sum(s[:0])
	return s, nil
}

// stream gives the file digest of r, which must hold exactly size bytes.
func (c *chunkHash) stream(r io.Reader, size int64) (sum, error) {
	chunks := make([]sum, chunkCount(size))
	for i := range chunks {
		var err error
		if chunks[i], err = c.chunk(r, chunkSize(size, int64(i))); err != nil {
			return sum{}, err
		}
	}
	return fileSum(size, chunks), c.end(r)
}

// end says whether r has no more bytes.
func (c *chunkHash) end(r io.Reader) error {
	switch _, err := io.ReadFull(r, c.buf[:1]); err {
	case io.EOF:
		return nil
	case nil:
		return errLonger
	default:
		return err
	}
}

// chunkSize is the number of bytes in chunk i of a file of size bytes.
func chunkSize(size, i int64) int64 { return min(size-i*chunkBytes, chunkBytes) }
