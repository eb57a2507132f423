package image

import (
	"archive/tar"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/tarball"

	"github.com/immure-dev/immure/internal/oci/content"
)

// Bounds of an archive.
const (
	maxDocument = content.MaxConfigBytes
	maxEntries  = 4096
)

// openDocker opens the one image of an archive that `docker save` wrote.
func openDocker(file string, want v1.Hash) (*Image, error) {
	if err := checkDocker(file); err != nil {
		return nil, err
	}
	img, err := tarball.ImageFromPath(file, nil)
	if err != nil {
		return nil, err
	}
	i, err := opened(img, nil, func() error { return nil })
	if err == nil && want != (v1.Hash{}) && i.Digest != want {
		return nil, fmt.Errorf("its digest is %s", i.Digest)
	}
	return i, err
}

// checkDocker looks at an archive's headers before its documents are read into
// memory: they must be small, and an entry must not be larger than what the
// archive holds of it.
func checkDocker(file string) error {
	f, err := os.Open(file)
	if err != nil {
		return err
	}
	defer f.Close()
	sizes := make(map[string]int64)
	var manifest []byte
	archive := tar.NewReader(f)
	for count := 0; ; count++ {
		h, err := archive.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			return fmt.Errorf("read archive: %w", err)
		}
		if count > maxEntries {
			return fmt.Errorf("archive has more than %d entries", maxEntries)
		}
		if isSparse(h) {
			return fmt.Errorf("archive entry %q is sparse", h.Name)
		}
		if _, ok := sizes[h.Name]; ok && h.Typeflag != tar.TypeDir {
			return fmt.Errorf("archive entry %q stands there twice", h.Name)
		}
		sizes[h.Name] = h.Size
		if h.Name == "manifest.json" && h.Size <= maxDocument {
			if manifest, err = io.ReadAll(archive); err != nil {
				return fmt.Errorf("read archive: %w", err)
			}
		}
	}
	return checkDocuments(manifest, sizes)
}

func isSparse(h *tar.Header) bool {
	if h.Typeflag == tar.TypeGNUSparse {
		return true
	}
	for k := range h.PAXRecords {
		if strings.HasPrefix(k, "GNU.sparse.") {
			return true
		}
	}
	return false
}

// checkDocuments looks at the sizes of what the manifest names as documents.
func checkDocuments(manifest []byte, sizes map[string]int64) error {
	if manifest == nil {
		return fmt.Errorf("no manifest.json of at most %d bytes: is it a docker-archive?", maxDocument)
	}
	var images []struct{ Config string }
	if err := json.Unmarshal(manifest, &images); err != nil {
		return fmt.Errorf("decode manifest.json: %w", err)
	}
	if len(images) != 1 {
		return fmt.Errorf("archive holds %d images, not one", len(images))
	}
	if size, ok := sizes[images[0].Config]; !ok || size > maxDocument {
		return errors.New("the configuration is missing or too large")
	}
	return nil
}
