package main

import (
	"context"
	"fmt"
	"os"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	source "github.com/immure-dev/immure/builder/image"
	"github.com/immure-dev/immure/internal/oci/content"
	"github.com/immure-dev/immure/internal/oci/layout"
	"github.com/immure-dev/immure/internal/oci/registry"
	"github.com/immure-dev/immure/verify/image"
	"github.com/spf13/cobra"
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
	return openBy(ctx, ref, plainHTTP, readImage)
}

// A reading is how the image of a digest is read: by readImage, or by
// [image.Open] when it is going to be judged.
type reading func(ctx context.Context, from content.Source, digest v1.Hash) (image.Input, error)

func readImage(ctx context.Context, from content.Source, digest v1.Hash) (image.Input, error) {
	img, err := content.Image(ctx, from, digest)
	return image.Input{Image: img, Beside: from}, err
}

func openBy(ctx context.Context, ref string, plainHTTP bool, read reading) (*opened, error) {
	switch kind, _, _ := strings.Cut(ref, ":"); kind {
	case "oci":
		return openLayout(ctx, ref, read, func(dir string) (*layout.Layout, error) { return layout.Open(dir) })
	case "oci-archive":
		return openLayout(ctx, ref, read, func(file string) (*layout.Layout, error) { return layout.OpenArchive(ctx, file) })
	case "docker-archive":
		img, err := source.Open(ctx, ref, func(path string) string { return path })
		if err != nil {
			return nil, err
		}
		name, _, _ := strings.Cut(ref, "@")
		return &opened{Input: image.Input{Image: img.Image}, Name: name + "@" + img.Digest.String(), Local: true, close: img.Close}, nil
	}
	if err := checkReference(ref); err != nil {
		return nil, err
	}
	repo, name, err := registry.Open(ref, registry.Options{PlainHTTP: plainHTTP})
	if err != nil {
		return nil, err
	}
	o := &opened{Name: ref, close: func() error { repo.Close(); return nil }}
	digest, err := repo.Resolve(ctx, name)
	if err == nil {
		o.Name = name.Context().Digest(digest.String()).String()
		o.Input, err = read(ctx, repo, digest)
	}
	if err != nil {
		repo.Close()
		return nil, err
	}
	return o, nil
}

// checkReference wants a registry reference to name its registry: nothing is
// asked of a host that was not named, not by a slip either.
func checkReference(ref string) error {
	if info, err := os.Stat(ref); err == nil {
		kind := "oci-archive:"
		if info.IsDir() {
			kind = "oci:"
		}
		return fmt.Errorf("open image %s: this is a path here: write %s%s", ref, kind, ref)
	}
	if kind, rest, ok := strings.Cut(ref, "://"); ok {
		return fmt.Errorf("open image %s: no %s:// here: write %s for a registry, or oci:DIR, oci-archive:FILE, docker-archive:FILE", ref, kind, rest)
	}
	host, _, ok := strings.Cut(ref, "/")
	if !ok || !(strings.ContainsAny(host, ".:") || host == "localhost") {
		return fmt.Errorf("open image %s: name the registry too, as docker.io/library/%s, or write oci:DIR for a layout", ref, ref)
	}
	return nil
}

// openLayout opens an image in a layout or an archive of one.
func openLayout(ctx context.Context, ref string, read reading, open func(path string) (*layout.Layout, error)) (*opened, error) {
	name, digest, pinned := strings.Cut(ref, "@")
	var want v1.Hash
	if pinned {
		var err error
		if want, err = v1.NewHash(digest); err != nil {
			return nil, fmt.Errorf("open image %s: %w", ref, err)
		}
	}
	_, path, _ := strings.Cut(name, ":")
	l, err := open(path)
	if err != nil {
		return nil, err
	}
	o := &opened{Local: true, close: l.Close}
	found, err := l.Image(ctx, want)
	if err == nil {
		o.Name = name + "@" + found.String()
		o.Input, err = read(ctx, l, found)
	}
	if err != nil {
		l.Close()
		return nil, err
	}
	return o, nil
}

// oneImage wants exactly one argument.
func oneImage(_ *cobra.Command, args []string) error {
	if len(args) != 1 {
		return fmt.Errorf("got %d arguments, want one IMAGE; what the service is started with comes from its boundary", len(args))
	}
	return nil
}
