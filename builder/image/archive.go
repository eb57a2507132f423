package image

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"sync"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

var blobName = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`^(oci-layout|index\.json|blobs/sha256/[0-9a-f]{64})$`)
})

// openArchive unpacks the archive of a layout into a directory of its own,
// which Close removes.
func openArchive(ctx context.Context, file string, want v1.Hash) (*Image, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	dir, err := os.MkdirTemp("", "immure-layout-*")
	if err != nil {
		return nil, err
	}
	img, err := unpackLayout(ctx, f, dir, want)
	if err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	img.closer = remover{img.closer, dir}
	return img, nil
}

// A remover closes what lies in a directory and removes it.
type remover struct {
	io.Closer
	dir string
}

func (r remover) Close() error { return errors.Join(r.Closer.Close(), os.RemoveAll(r.dir)) }

func unpackLayout(ctx context.Context, r io.Reader, dir string, want v1.Hash) (*Image, error) {
	if err := os.MkdirAll(filepath.Join(dir, "blobs", "sha256"), 0o700); err != nil {
		return nil, err
	}
	archive := tar.NewReader(r)
	var total int64
	for count := 0; ; count++ {
		h, err := archive.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			return nil, fmt.Errorf("read archive: %w", err)
		}
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		name := path.Clean(h.Name)
		if h.Typeflag == tar.TypeDir {
			continue
		}
		total += h.Size
		if count > maxBlobs || total > maxArchive || h.Size < 0 {
			return nil, errors.New("archive is too large")
		}
		if h.Typeflag != tar.TypeReg || !blobName().MatchString(name) {
			return nil, fmt.Errorf("archive entry %q does not belong to an OCI layout", h.Name)
		}
		if err := writeBlob(filepath.Join(dir, filepath.FromSlash(name)), archive); err != nil {
			return nil, err
		}
	}
	return openLayout(dir, want)
}

func writeBlob(name string, r io.Reader) error {
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(f, r)
	return errors.Join(err, f.Close())
}
