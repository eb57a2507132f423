package rootfs

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"

	"golang.org/x/sys/unix"
)

// A Store keeps the contents of regular files while a layer is read.
type Store interface {
	// Put reads r to its end, which must come after exactly size bytes, and
	// gives back a Content with those bytes.
	Put(r io.Reader, size int64) (Content, error)
}

// A PathStore is a Store that keeps some contents and not others, by their
// paths. [Tree.Apply] calls PutAt in place of Put.
type PathStore interface {
	Store
	PutAt(path string, r io.Reader, size int64) (Content, error)
}

// Bytes is a Content in memory. It must not change once it is in a tree.
type Bytes []byte

// Open implements [Content]. The reader is an [io.ReaderAt] too.
func (b Bytes) Open() (io.ReadCloser, error) {
	return section{io.NewSectionReader(bytes.NewReader(b), 0, int64(len(b)))}, nil
}

// A Spool is a Store in one temporary file without a name, so that nothing is
// left behind even by a crash. Its methods may be called concurrently.
type Spool struct {
	file *os.File
	mu   sync.Mutex // guards size
	size int64
}

// NewSpool makes a Spool in the directory dir, or in [os.TempDir] if dir is
// empty. The caller must Close it.
func NewSpool(dir string) (*Spool, error) {
	if dir == "" {
		dir = os.TempDir()
	}
	fd, err := unix.Open(dir, unix.O_TMPFILE|unix.O_RDWR|unix.O_CLOEXEC, 0o600)
	if err == nil {
		return &Spool{file: os.NewFile(uintptr(fd), dir)}, nil
	}
	if !errors.Is(err, unix.EOPNOTSUPP) && !errors.Is(err, unix.EISDIR) {
		return nil, fmt.Errorf("make spool in %q: %w", dir, err)
	}
	// Not every file system knows O_TMPFILE.
	f, err := os.CreateTemp(dir, ".immure-spool-*")
	if err != nil {
		return nil, fmt.Errorf("make spool: %w", err)
	}
	if err := os.Remove(f.Name()); err != nil {
		f.Close()
		return nil, fmt.Errorf("make spool: %w", err)
	}
	return &Spool{file: f}, nil
}

// Put implements [Store].
func (s *Spool) Put(r io.Reader, size int64) (Content, error) {
	if size == 0 {
		return Bytes(nil), atEnd(r)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	off := s.size
	n, err := io.Copy(io.NewOffsetWriter(s.file, off), io.LimitReader(r, size))
	if err != nil {
		return nil, fmt.Errorf("spool content: %w", err)
	}
	if n != size {
		return nil, fmt.Errorf("spool content: %w after %d of %d bytes", io.ErrUnexpectedEOF, n, size)
	}
	if err := atEnd(r); err != nil {
		return nil, fmt.Errorf("spool content: %w", err)
	}
	s.size += size
	return &spooled{s.file, off, size}, nil
}

// Close gives the space back. Contents can no longer be read then.
func (s *Spool) Close() error { return s.file.Close() }

// atEnd says whether r has no more bytes.
func atEnd(r io.Reader) error {
	switch _, err := io.ReadFull(r, make([]byte, 1)); err {
	case io.EOF:
		return nil
	case nil:
		return errors.New("content is longer than its size")
	default:
		return err
	}
}

type spooled struct {
	file      *os.File
	off, size int64
}

func (c *spooled) Open() (io.ReadCloser, error) {
	return section{io.NewSectionReader(c.file, c.off, c.size)}, nil
}

// A section is part of something that someone else closes.
type section struct{ *io.SectionReader }

func (section) Close() error { return nil }
