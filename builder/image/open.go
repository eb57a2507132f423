package image

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote"
)

// Platform is the only one that images are read for.
var platform = v1.Platform{OS: "linux", Architecture: "amd64"}

// An UnpinnedError reports a registry reference without a digest.
type UnpinnedError struct {
	Ref    string
	Pinned string // with the digest that the reference leads to now
}

func (e *UnpinnedError) Error() string {
	return fmt.Sprintf("image %q can change: write %s", e.Ref, e.Pinned)
}

// An Image is an opened image. Close frees what it needed.
type Image struct {
	v1.Image
	// Digest is that of the manifest; of a docker-archive, of the manifest
	// that the archive stands for.
	Digest v1.Hash
	closer io.Closer
}

// Close ends the use of the image.
func (i *Image) Close() error {
	if i.closer == nil {
		return nil
	}
	return i.closer.Close()
}

// Open opens the image that ref names: "oci:DIR", "oci-archive:FILE",
// "docker-archive:FILE", each optionally with "@sha256:…" at the end, or a
// registry reference with a digest. A reference without one is an
// [*UnpinnedError]. Paths are relative to dir.
func Open(ctx context.Context, ref string, host func(string) string) (*Image, error) {
	kind, rest, _ := strings.Cut(ref, ":")
	file, digest, pinned := strings.Cut(rest, "@")
	var want v1.Hash
	if pinned {
		var err error
		if want, err = v1.NewHash(digest); err != nil && isLocal(kind) {
			return nil, fmt.Errorf("open image %q: %w", ref, err)
		}
	}
	var img *Image
	var err error
	switch kind {
	case "oci":
		img, err = openLayout(host(file), want)
	case "oci-archive":
		img, err = openArchive(ctx, host(file), want)
	case "docker-archive":
		img, err = openDocker(host(file))
	default:
		img, err = openRemote(ctx, ref)
	}
	if err != nil {
		return nil, fmt.Errorf("open image %q: %w", ref, err)
	}
	if pinned && isLocal(kind) && img.Digest != want {
		err = fmt.Errorf("open image %q: its digest is %s", ref, img.Digest)
	}
	if err == nil {
		err = img.check()
	}
	if err != nil {
		return nil, errors.Join(err, img.Close())
	}
	return img, nil
}

func isLocal(kind string) bool {
	return kind == "oci" || kind == "oci-archive" || kind == "docker-archive"
}

func openRemote(ctx context.Context, ref string) (*Image, error) {
	r, err := name.ParseReference(ref)
	if err != nil {
		return nil, err
	}
	opts := []remote.Option{remote.WithContext(ctx), remote.WithAuthFromKeychain(authn.DefaultKeychain), remote.WithPlatform(platform)}
	if _, ok := r.(name.Digest); !ok {
		d, err := remote.Head(r, opts...)
		if err != nil {
			return nil, err
		}
		return nil, &UnpinnedError{Ref: ref, Pinned: r.Context().Digest(d.Digest.String()).String()}
	}
	img, err := remote.Image(r, opts...)
	if err != nil {
		return nil, err
	}
	digest, err := img.Digest()
	return &Image{Image: img, Digest: digest}, err
}
