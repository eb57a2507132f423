package layout

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"golang.org/x/sys/unix"

	"github.com/immure-dev/immure/internal/oci/content"
)

// Write makes a layout of one image, named refName in index.json, and of the
// artifacts beside it. Everything is written into a directory beside dir,
// synced, and takes dir's place at once. A layout that is there is replaced
// whole, an empty directory filled, and anything else left alone.
func Write(ctx context.Context, dir string, img v1.Image, refName string, artifacts ...content.Artifact) error {
	target, err := replaceable(dir)
	if err != nil {
		return fmt.Errorf("write layout: %w", err)
	}
	aside, err := os.MkdirTemp(filepath.Dir(target), "."+filepath.Base(target)+"-*")
	if err != nil {
		return fmt.Errorf("write layout: %w", err)
	}
	// After the exchange this is what stood there before.
	defer os.RemoveAll(aside)
	if err := fill(ctx, aside, img, refName, artifacts); err != nil {
		return fmt.Errorf("write layout %s: %w", dir, err)
	}
	if err := replace(aside, target); err != nil {
		return fmt.Errorf("write layout %s: %w", dir, err)
	}
	return nil
}

// replaceable returns dir without links, if a layout may take its place.
func replaceable(dir string) (string, error) {
	target, err := filepath.EvalSymlinks(dir)
	if errors.Is(err, fs.ErrNotExist) {
		if _, err := os.Lstat(dir); err == nil {
			return "", fmt.Errorf("%s is a link to nowhere", dir)
		}
		return filepath.Abs(dir)
	}
	if err != nil {
		return "", err
	}
	entries, err := os.ReadDir(target)
	if err != nil {
		return "", err
	}
	if len(entries) > 0 {
		l, err := Open(target)
		if err != nil {
			return "", fmt.Errorf("%s is there and is no layout: choose another directory, or remove it: %w", dir, err)
		}
		l.Close()
	}
	return filepath.Abs(target)
}

func fill(ctx context.Context, dir string, img v1.Image, refName string, artifacts []content.Artifact) error {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer root.Close()
	w := writer{ctx, root}
	if err := root.MkdirAll(blobsDir, 0o755); err != nil {
		return err
	}
	desc, err := w.image(img)
	if err != nil {
		return err
	}
	if refName != "" {
		desc.Annotations = map[string]string{RefName: refName}
	}
	index := v1.IndexManifest{SchemaVersion: 2, MediaType: types.OCIImageIndex, Manifests: []v1.Descriptor{desc}}
	for _, a := range artifacts {
		if index.Manifests, err = w.artifact(index.Manifests, a); err != nil {
			return err
		}
	}
	// The index and the marker come last: without them there is no layout.
	if err := w.index(index); err != nil {
		return err
	}
	if err := w.file(markerFile, []byte(markerText)); err != nil {
		return err
	}
	if err := root.Chmod(".", 0o755); err != nil {
		return err
	}
	return w.syncDirs()
}

// replace puts the directory aside in the place of target.
func replace(aside, target string) error {
	err := unix.Renameat2(unix.AT_FDCWD, aside, unix.AT_FDCWD, target, unix.RENAME_NOREPLACE)
	if errors.Is(err, fs.ErrExist) {
		err = unix.Renameat2(unix.AT_FDCWD, aside, unix.AT_FDCWD, target, unix.RENAME_EXCHANGE)
	}
	if errors.Is(err, unix.EINVAL) || errors.Is(err, unix.ENOSYS) {
		err = replaceInSteps(aside, target) // the file system exchanges no names
	}
	if err != nil {
		return err
	}
	parent, err := os.Open(filepath.Dir(target))
	if err != nil {
		return err
	}
	return syncDir(parent)
}

func replaceInSteps(aside, target string) error {
	old := aside + ".old"
	if err := os.Rename(target, old); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := os.Rename(aside, target); err != nil {
		return errors.Join(err, os.Rename(old, target))
	}
	return os.RemoveAll(old)
}

// Attach adds artifacts to the layout. Those that are there already are left
// as they are. Writers of one layout wait for each other.
func (l *Layout) Attach(ctx context.Context, artifacts ...content.Artifact) error {
	lock, err := l.open(markerFile)
	if err != nil {
		return fmt.Errorf("attach to layout %s: %w", l.name, err)
	}
	defer lock.Close()
	if err := unix.Flock(int(lock.Fd()), unix.LOCK_EX); err != nil {
		return fmt.Errorf("attach to layout %s: lock: %w", l.name, err)
	}
	index, err := l.Index()
	if err != nil {
		return err
	}
	w := writer{ctx, l.root}
	for _, a := range artifacts {
		if index.Manifests, err = w.artifact(index.Manifests, a); err != nil {
			return fmt.Errorf("attach to layout %s: %w", l.name, err)
		}
	}
	if err := w.index(*index); err != nil {
		return fmt.Errorf("attach to layout %s: %w", l.name, err)
	}
	if err := w.syncDirs(); err != nil {
		return fmt.Errorf("attach to layout %s: %w", l.name, err)
	}
	return nil
}

func (w writer) index(index v1.IndexManifest) error {
	data, err := json.Marshal(index)
	if err != nil {
		return err
	}
	if len(data) > maxIndexBytes {
		return fmt.Errorf("%s would have more than %d bytes", indexFile, maxIndexBytes)
	}
	return w.file(indexFile, data)
}

// artifact writes an artifact and lists it, once.
func (w writer) artifact(list []v1.Descriptor, a content.Artifact) ([]v1.Descriptor, error) {
	desc, err := a.Descriptor()
	if err != nil {
		return nil, err
	}
	for _, d := range list {
		if d.Digest == desc.Digest {
			return list, nil
		}
	}
	raw, err := a.RawManifest()
	if err != nil {
		return nil, err
	}
	for _, b := range append(a.Blobs(), content.Blob{Data: raw}) {
		if err := w.bytes(b.Descriptor().Digest, b.Data); err != nil {
			return nil, err
		}
	}
	desc.Annotations = maps.Clone(desc.Annotations)
	return append(list, desc), nil
}
