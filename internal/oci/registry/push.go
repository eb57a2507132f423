package registry

import (
	"context"
	"fmt"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/immure-dev/immure/internal/oci/content"
)

// Push writes an image, then the artifacts beside it, and only then moves the
// tag, if one is named: what is interrupted leaves nothing that the tag shows.
func (r *Repository) Push(ctx context.Context, img v1.Image, tag string, artifacts ...content.Artifact) error {
	pusher, err := r.pusher()
	if err != nil {
		return err
	}
	digest, err := img.Digest()
	if err != nil {
		return fmt.Errorf("push image: %w", err)
	}
	if err := pusher.Push(ctx, r.repo.Digest(digest.String()), img); err != nil {
		return fmt.Errorf("push image: %w", err)
	}
	for _, a := range artifacts {
		if err := r.attach(ctx, pusher, a); err != nil {
			return err
		}
	}
	if tag == "" {
		return nil
	}
	if err := pusher.Push(ctx, r.repo.Tag(tag), img); err != nil {
		return fmt.Errorf("tag image: %w", err)
	}
	return nil
}

// Attach writes an artifact. Where the registry has no referrers API the
// referrers tag of its subject is brought up to date.
func (r *Repository) Attach(ctx context.Context, a content.Artifact) error {
	pusher, err := r.pusher()
	if err != nil {
		return err
	}
	return r.attach(ctx, pusher, a)
}

func (r *Repository) attach(ctx context.Context, pusher *remote.Pusher, a content.Artifact) error {
	desc, err := a.Descriptor()
	if err != nil {
		return err
	}
	for _, b := range a.Blobs() {
		if err := pusher.Upload(ctx, r.repo, static.NewLayer(b.Data, types.MediaType(b.MediaType))); err != nil {
			return fmt.Errorf("attach %s: %w", desc.Digest, err)
		}
	}
	if err := pusher.Put(ctx, r.repo.Digest(desc.Digest.String()), a); err != nil {
		return fmt.Errorf("attach %s: %w", desc.Digest, err)
	}
	return nil
}

// pusher is made anew for each writing, since one that met an error keeps it.
func (r *Repository) pusher() (*remote.Pusher, error) {
	p, err := remote.NewPusher(remote.WithTransport(r.guard), remote.WithAuthFromKeychain(r.keychain))
	if err != nil {
		return nil, fmt.Errorf("prepare to push: %w", err)
	}
	return p, nil
}
