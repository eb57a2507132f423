package main

import (
	"context"
	"fmt"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/immure-dev/immure/attest/content"
	"github.com/immure-dev/immure/attest/layout"
	"github.com/immure-dev/immure/attest/registry"
	source "github.com/immure-dev/immure/builder/image"
	"github.com/immure-dev/immure/verify/image"
)

// imageHelp is what every command says of its IMAGE argument.
const imageHelp = `IMAGE is a registry reference (plain HTTP only for loopback addresses, or with
--plain-http), oci:DIR[@DIGEST], oci-archive:FILE or docker-archive:FILE.`

// An opened is an image that a command was given.
type opened struct {
	image.Input
	// Name is the reference with the digest of what was opened.
	Name string
	// Local reports that all of the image is on this machine, so that reading
	// all of it costs no network.
	Local bool
	close func() error
}

func (o *opened) Close() {
	if o.close != nil {
		_ = o.close() // only read from
	}
}

// isImage reports whether an argument that may be a file names an image.
func isImage(arg string) bool {
	for _, prefix := range []string{"oci:", "oci-archive:", "docker-archive:"} {
		if strings.HasPrefix(arg, prefix) {
			return true
		}
	}
	return false
}

// openImage opens IMAGE. What a tag names is decided here, once: from then on
// only the digest is used.
func openImage(ctx context.Context, ref string, plainHTTP bool) (*opened, error) {
	switch kind, rest, _ := strings.Cut(ref, ":"); kind {
	case "oci":
		return openLayout(ctx, rest)
	case "oci-archive", "docker-archive":
		img, err := source.Open(ctx, ref, func(path string) string { return path })
		if err != nil {
			return nil, err
		}
		name, _, _ := strings.Cut(ref, "@")
		return &opened{Input: image.Input{Image: img.Image}, Name: name + "@" + img.Digest.String(), Local: true, close: img.Close}, nil
	}
	repo, name, err := registry.Open(ref, registry.Options{PlainHTTP: plainHTTP})
	if err != nil {
		return nil, err
	}
	o := &opened{Name: ref, close: func() error { repo.Close(); return nil }}
	digest, err := repo.Resolve(ctx, name)
	if err == nil {
		o.Name = name.Context().Digest(digest.String()).String()
		err = o.read(ctx, repo, digest)
	}
	if err != nil {
		repo.Close()
		return nil, err
	}
	return o, nil
}

func openLayout(ctx context.Context, rest string) (*opened, error) {
	dir, digest, pinned := strings.Cut(rest, "@")
	var want v1.Hash
	if pinned {
		var err error
		if want, err = v1.NewHash(digest); err != nil {
			return nil, fmt.Errorf("open image oci:%s: %w", rest, err)
		}
	}
	l, err := layout.Open(dir)
	if err != nil {
		return nil, err
	}
	o := &opened{Local: true, close: l.Close}
	found, err := l.Image(ctx, want)
	if err == nil {
		o.Name = "oci:" + dir + "@" + found.String()
		err = o.read(ctx, l, found)
	}
	if err != nil {
		l.Close()
		return nil, err
	}
	return o, nil
}

func (o *opened) read(ctx context.Context, from content.Source, digest v1.Hash) error {
	img, err := content.Image(ctx, from, digest)
	if err != nil {
		return err
	}
	o.Image, o.Beside = img, from
	return nil
}
