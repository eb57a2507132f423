package layout

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"regexp"
	"strings"
	"sync"
)

// Bounds of an archive.
const (
	maxArchiveBytes = 32 << 30 // that it may unpack to
	maxArchiveFiles = 4096
)

var archived = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`^(oci-layout|index\.json|blobs/sha256/[0-9a-f]{64})$`)
})

// OpenArchive opens the layout in a tar archive. It is unpacked into a
// directory of its own, which Close removes.
func OpenArchive(ctx context.Context, file string) (*Layout, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, fmt.Errorf("open layout: %w", err)
	}
	defer f.Close()
	dir, err := os.MkdirTemp("", "immure-layout-*")
	if err != nil {
		return nil, fmt.Errorf("open layout %s: %w", file, err)
	}
	l, err := unpacked(ctx, f, dir)
	if err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	l.remove = dir
	return l, nil
}

func unpacked(ctx context.Context, f *os.File, dir string) (*Layout, error) {
	if err := unpack(ctx, f, dir); err != nil {
		return nil, fmt.Errorf("open layout %s: %w", f.Name(), err)
	}
	return open(dir, f.Name())
}

func unpack(ctx context.Context, r io.Reader, dir string) error {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer root.Close()
	if err := root.MkdirAll(blobsDir, 0o700); err != nil {
		return err
	}
	archive := tar.NewReader(contextReader{ctx, r})
	var total int64
	for count := 0; ; count++ {
		h, err := archive.Next()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return fmt.Errorf("read archive: %w", err)
		}
		if h.Typeflag == tar.TypeDir {
			continue
		}
		total += h.Size
		if count > maxArchiveFiles || total > maxArchiveBytes || h.Size < 0 {
			return errors.New("archive is too large")
		}
		name := path.Clean(h.Name)
		if h.Typeflag != tar.TypeReg || !archived().MatchString(name) || sparse(h) {
			return fmt.Errorf("archive entry %q does not belong to an OCI layout", h.Name)
		}
		if err := write(root, name, archive); err != nil {
			return err
		}
	}
}

// sparse reports an entry that may be larger than what the archive holds of it.
func sparse(h *tar.Header) bool {
	for record := range h.PAXRecords {
		if strings.HasPrefix(record, "GNU.sparse.") {
			return true
		}
	}
	return false
}

func write(root *os.Root, name string, r io.Reader) error {
	f, err := root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(f, r)
	return errors.Join(err, f.Close())
}
