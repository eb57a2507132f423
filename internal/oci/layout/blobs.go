package layout

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"os"
	"path"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"golang.org/x/sys/unix"
)

// A writer adds files to a layout's directory, and to none that a link in it
// leads to.
type writer struct {
	ctx  context.Context
	root *os.Root
}

// image writes an image's blobs and returns the descriptor of its manifest.
func (w writer) image(img v1.Image) (v1.Descriptor, error) {
	layers, err := img.Layers()
	if err != nil {
		return v1.Descriptor{}, err
	}
	for _, l := range layers {
		if err := w.layer(l); err != nil {
			return v1.Descriptor{}, err
		}
	}
	config, err := img.RawConfigFile()
	if err != nil {
		return v1.Descriptor{}, err
	}
	name, err := img.ConfigName()
	if err != nil {
		return v1.Descriptor{}, err
	}
	if err := w.bytes(name, config); err != nil {
		return v1.Descriptor{}, err
	}
	raw, err := img.RawManifest()
	if err != nil {
		return v1.Descriptor{}, err
	}
	digest, size, err := v1.SHA256(bytes.NewReader(raw))
	if err != nil {
		return v1.Descriptor{}, err
	}
	mediaType, err := img.MediaType()
	if err != nil {
		return v1.Descriptor{}, err
	}
	return v1.Descriptor{MediaType: mediaType, Digest: digest, Size: size}, w.bytes(digest, raw)
}

func (w writer) layer(l v1.Layer) error {
	digest, err := l.Digest()
	if err != nil {
		return err
	}
	r, err := l.Compressed()
	if err != nil {
		return err
	}
	defer r.Close()
	return w.stream(digest, r)
}

func (w writer) bytes(digest v1.Hash, data []byte) error {
	return w.stream(digest, bytes.NewReader(data))
}

// stream writes a blob aside and names it once its digest is seen to be right.
func (w writer) stream(digest v1.Hash, r io.Reader) error {
	return w.aside(path.Join(blobsDir, digest.Hex), func(f io.Writer) error {
		got, _, err := v1.SHA256(io.TeeReader(contextReader{w.ctx, r}, f))
		if err == nil && got != digest {
			err = fmt.Errorf("write blob %s: its bytes have the digest %s", digest, got)
		}
		return err
	})
}

type contextReader struct {
	ctx context.Context
	r   io.Reader
}

func (c contextReader) Read(p []byte) (int, error) {
	if err := c.ctx.Err(); err != nil {
		return 0, err
	}
	return c.r.Read(p)
}

func (w writer) file(name string, data []byte) error {
	return w.aside(name, func(f io.Writer) error {
		_, err := f.Write(data)
		return err
	})
}

// aside writes a file under a name of its own, syncs it and then names it.
func (w writer) aside(name string, write func(io.Writer) error) error {
	temp := path.Join(path.Dir(name), ".new-"+rand.Text())
	f, err := w.root.OpenFile(temp, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return err
	}
	err = write(f)
	err = errors.Join(err, f.Chmod(0o644), f.Sync(), f.Close())
	if err == nil {
		err = w.root.Rename(temp, name)
	}
	if err != nil {
		return errors.Join(err, w.root.Remove(temp))
	}
	return nil
}

// syncDirs makes the names in the layout's directories durable.
func (w writer) syncDirs() error {
	for _, dir := range []string{blobsDir, path.Dir(blobsDir), "."} {
		d, err := w.root.Open(dir)
		if err != nil {
			return err
		}
		if err := syncDir(d); err != nil {
			return err
		}
	}
	return nil
}

// syncDir syncs and closes a directory. Some file systems cannot.
func syncDir(d *os.File) error {
	err := d.Sync()
	d.Close()
	if err != nil && !errors.Is(err, unix.EINVAL) {
		return fmt.Errorf("sync %s: %w", d.Name(), err)
	}
	return nil
}
