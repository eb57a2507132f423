package layout

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"syscall"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/immure-dev/immure/internal/oci/content"
	"github.com/immure-dev/immure/internal/strict"
)

const (
	markerFile    = "oci-layout"
	markerText    = `{"imageLayoutVersion":"1.0.0"}`
	indexFile     = "index.json"
	blobsDir      = "blobs/sha256"
	maxIndexBytes = content.MaxManifestBytes
	maxSmallBytes = 1 << 20 // a manifest that could be a referrer
)

// RefName is the annotation that names an image in an index.
const RefName = "org.opencontainers.image.ref.name"

// A Layout is an open layout, a [content.Source]. Close it after use.
type Layout struct {
	name   string // for people
	root   *os.Root
	remove string // a directory that goes with the layout
}

var _ content.Source = (*Layout)(nil)

// Open opens the layout in a directory.
func Open(dir string) (*Layout, error) { return open(dir, dir) }

func open(dir, name string) (*Layout, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, fmt.Errorf("open layout: %w", err)
	}
	l := &Layout{name: name, root: root}
	if err := l.checkMarker(); err != nil {
		root.Close()
		return nil, fmt.Errorf("open layout %s: %w", name, err)
	}
	return l, nil
}

// Close closes the directory, and removes the one that an archive was unpacked
// into.
func (l *Layout) Close() error {
	err := l.root.Close()
	if l.remove != "" {
		err = errors.Join(err, os.RemoveAll(l.remove))
	}
	return err
}

func (l *Layout) checkMarker() error {
	data, err := l.readFile(markerFile, 1<<10)
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("no %s file: this is no OCI layout", markerFile)
	}
	if err != nil {
		return err
	}
	members, err := strict.Members(data, "imageLayoutVersion")
	if err != nil {
		return fmt.Errorf("read %s: %w", markerFile, err)
	}
	if version, err := strict.String(members, "imageLayoutVersion"); err != nil || version != "1.0.0" {
		return fmt.Errorf("layout version %.20q, want 1.0.0", version)
	}
	return nil
}

// open opens a regular file beneath the layout. A pipe or device in its place
// is refused and not waited for.
func (l *Layout) open(name string) (*os.File, error) {
	f, err := l.root.OpenFile(name, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = fmt.Errorf("%s is not a regular file", name)
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

func (l *Layout) readFile(name string, most int64) ([]byte, error) {
	f, err := l.open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, most+1))
	if err == nil && int64(len(data)) > most {
		err = fmt.Errorf("%s has more than %d bytes", name, most)
	}
	return data, err
}

// Index reads index.json.
func (l *Layout) Index() (*v1.IndexManifest, error) {
	data, err := l.readFile(indexFile, maxIndexBytes)
	if err != nil {
		return nil, fmt.Errorf("read layout %s: %w", l.name, err)
	}
	index, err := parseIndex(data)
	if err != nil {
		return nil, fmt.Errorf("read layout %s: %w", l.name, err)
	}
	return index, nil
}

func parseIndex(data []byte) (*v1.IndexManifest, error) {
	index, err := content.ParseIndex(data)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", indexFile, err)
	}
	return index, nil
}

// Manifest opens a manifest or index by its digest.
func (l *Layout) Manifest(ctx context.Context, digest v1.Hash) (io.ReadCloser, error) {
	return l.Blob(ctx, digest)
}

// Blob opens a blob by its digest.
func (l *Layout) Blob(ctx context.Context, digest v1.Hash) (io.ReadCloser, error) {
	if err := content.CheckDigest(digest); err != nil {
		return nil, err
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	f, err := l.open(path.Join(blobsDir, digest.Hex))
	if err != nil {
		return nil, err
	}
	return &file{File: f, ctx: ctx}, nil
}

// A file stops being read once its context is done.
type file struct {
	*os.File
	ctx context.Context
}

func (f *file) Read(p []byte) (int, error) {
	if err := f.ctx.Err(); err != nil {
		return 0, err
	}
	return f.File.Read(p)
}

// Referrers lists the manifests of index.json whose subject is the digest.
// Indexes within the index are not looked into.
func (l *Layout) Referrers(ctx context.Context, digest v1.Hash) ([]v1.Descriptor, error) {
	var found []v1.Descriptor
	err := l.manifests(ctx, func(d v1.Descriptor, m *v1.Manifest) {
		if m.Subject != nil && m.Subject.Digest == digest {
			d.ArtifactType, d.Annotations = m.ArtifactType, m.Annotations
			found = append(found, d)
		}
	})
	return found, err
}

// Image returns the digest of the layout's image: the one named, or the one
// manifest without a subject. Several are an error that lists them.
func (l *Layout) Image(ctx context.Context, named v1.Hash) (v1.Hash, error) {
	index, err := l.Index()
	if err != nil {
		return v1.Hash{}, err
	}
	if named != (v1.Hash{}) {
		for _, d := range index.Manifests {
			if d.Digest == named {
				return named, nil
			}
		}
		return v1.Hash{}, fmt.Errorf("layout %s has no image %s", l.name, named)
	}
	var images []v1.Descriptor
	for _, d := range index.Manifests {
		if d.MediaType.IsIndex() {
			images = append(images, d)
		}
	}
	err = l.manifests(ctx, func(d v1.Descriptor, m *v1.Manifest) {
		if content.IsImage(m) {
			images = append(images, d)
		}
	})
	switch {
	case err != nil:
		return v1.Hash{}, err
	case len(images) == 0:
		return v1.Hash{}, fmt.Errorf("layout %s has no image", l.name)
	case len(images) > 1:
		return v1.Hash{}, fmt.Errorf("layout %s: %w", l.name, &content.IndexError{Manifests: images})
	}
	return images[0].Digest, nil
}

// manifests visits the image manifests of index.json, each digest once. One
// that cannot be read is an error, for it could be the one that counts.
func (l *Layout) manifests(ctx context.Context, visit func(v1.Descriptor, *v1.Manifest)) error {
	index, err := l.Index()
	if err != nil {
		return err
	}
	seen := make(map[v1.Hash]bool)
	for _, d := range index.Manifests {
		if !d.MediaType.IsImage() || seen[d.Digest] {
			continue
		}
		seen[d.Digest] = true
		raw, err := content.ReadManifest(ctx, l, d.Digest, maxSmallBytes)
		if err != nil {
			return fmt.Errorf("read layout %s: %w", l.name, err)
		}
		m, err := content.ParseManifest(raw)
		if err != nil {
			return fmt.Errorf("read layout %s: %s: %w", l.name, d.Digest, err)
		}
		visit(d, m)
	}
	return nil
}
