package main

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// An image of this project has its layers in this order.
const (
	filesLayer = iota
	_          // what is declared
	sealLayer
)

// repack pushes an image with its layers changed, under a manifest that fits
// them: nothing but the seal can tell.
func (d *demo) repack(ctx context.Context, ref, as string, change func([]v1.Layer) ([]v1.Layer, error)) (string, error) {
	img, err := d.pull(ctx, ref)
	if err != nil {
		return "", err
	}
	layers, err := img.Layers()
	if err != nil {
		return "", err
	}
	if layers, err = change(layers); err != nil {
		return "", err
	}
	config, err := img.ConfigFile()
	if err != nil {
		return "", err
	}
	config = config.DeepCopy()
	config.RootFS.DiffIDs, config.History = nil, nil
	out := mutate.ConfigMediaType(mutate.MediaType(empty.Image, types.OCIManifestSchema1), types.OCIConfigJSON)
	if out, err = mutate.ConfigFile(out, config); err != nil {
		return "", err
	}
	if out, err = mutate.AppendLayers(out, layers...); err != nil {
		return "", err
	}
	return d.push(ctx, out, as)
}

func (d *demo) pull(ctx context.Context, ref string) (v1.Image, error) {
	r, err := name.ParseReference(ref)
	if err != nil {
		return nil, err
	}
	return remote.Image(r, remote.WithContext(ctx))
}

// push gives the reference with the digest.
func (d *demo) push(ctx context.Context, img v1.Image, as string) (string, error) {
	tag, err := name.NewTag(d.image(as))
	if err != nil {
		return "", err
	}
	if err := remote.Write(tag, img, remote.WithContext(ctx)); err != nil {
		return "", err
	}
	digest, err := img.Digest()
	return tag.Context().Digest(digest.String()).String(), err
}

// flipBit changes one bit in the middle of a file of the first layer.
func flipBit(file string) func([]v1.Layer) ([]v1.Layer, error) {
	return func(layers []v1.Layer) ([]v1.Layer, error) {
		found := false
		changed, err := rewrite(layers[filesLayer], func(h *tar.Header, data []byte) []byte {
			if h.Name == file && len(data) > 0 {
				found = true
				data[len(data)/2] ^= 1
			}
			return data
		})
		if err == nil && !found {
			err = fmt.Errorf("no file %s to flip a bit of", file)
		}
		return slices.Replace(layers, filesLayer, filesLayer+1, changed), err
	}
}

// addFile puts a layer with one program on top.
func addFile(file string, data []byte) func([]v1.Layer) ([]v1.Layer, error) {
	return func(layers []v1.Layer) ([]v1.Layer, error) {
		var b bytes.Buffer
		w := tar.NewWriter(&b)
		err := w.WriteHeader(&tar.Header{Name: file, Mode: 0o755, Size: int64(len(data)), Typeflag: tar.TypeReg})
		if err == nil {
			_, err = w.Write(data)
		}
		added, err2 := layer(b.Bytes())
		return append(layers, added), errors.Join(err, w.Close(), err2)
	}
}

// rewrite copies a layer, each file's content as change gives it.
func rewrite(l v1.Layer, change func(*tar.Header, []byte) []byte) (v1.Layer, error) {
	plain, err := l.Uncompressed()
	if err != nil {
		return nil, err
	}
	defer plain.Close()
	var b bytes.Buffer
	in, out := tar.NewReader(plain), tar.NewWriter(&b)
	for {
		h, err := in.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, err
		}
		data, err := io.ReadAll(in)
		if err != nil {
			return nil, err
		}
		data = change(h, data)
		if err := out.WriteHeader(h); err != nil {
			return nil, err
		}
		if _, err := out.Write(data); err != nil {
			return nil, err
		}
	}
	if err := out.Close(); err != nil {
		return nil, err
	}
	return layer(b.Bytes())
}

func layer(plain []byte) (v1.Layer, error) {
	open := func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(plain)), nil }
	return tarball.LayerFromOpener(open, tarball.WithMediaType(types.OCILayer))
}
