package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/google/go-containerregistry/pkg/name"

	"github.com/immure-dev/immure/internal/oci/layout"
	"github.com/immure-dev/immure/internal/oci/registry"
	"github.com/spf13/cobra"
)

// A destination is where an image is written.
type destination struct {
	dir, push string
	plainHTTP bool
}

func (d *destination) flags(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringVarP(&d.dir, "output", "o", "", "write an OCI layout to this directory")
	f.StringVar(&d.push, "push", "", "push to this registry reference")
	f.BoolVar(&d.plainHTTP, "plain-http", false, "let the registry named speak HTTP without TLS")
	_ = cmd.MarkFlagDirname("output")
}

func (d *destination) check() error {
	switch {
	case d.dir == "" && d.push == "":
		return errNoDestination
	case d.dir != "" && d.push != "":
		return errors.New("-o and --push are two places: give one of them")
	case d.push != "":
		return d.checkReference()
	}
	return nil
}

func (d *destination) checkReference() error {
	ref, err := name.ParseReference(d.push, name.WeakValidation)
	if err != nil {
		return fmt.Errorf("read image reference: %w", err)
	}
	if _, ok := ref.(name.Digest); ok {
		return fmt.Errorf("push %s: the digest is not known before the image is built: name a tag, or nothing", d.push)
	}
	return nil
}

// write writes everything and returns the image's reference with its digest.
func (d *destination) write(ctx context.Context, s *sealed) (string, error) {
	if d.dir != "" {
		if err := layout.Write(ctx, d.dir, s.image, "latest", s.artifacts...); err != nil {
			return "", err
		}
		return "oci:" + d.dir + "@" + s.subject.Digest.String(), nil
	}
	repo, ref, err := registry.Open(d.push, registry.Options{PlainHTTP: d.plainHTTP})
	if err != nil {
		return "", err
	}
	defer repo.Close()
	if err := repo.Push(ctx, s.image, ref.Identifier(), s.artifacts...); err != nil {
		return "", err
	}
	return ref.Context().Digest(s.subject.Digest.String()).String(), nil
}
