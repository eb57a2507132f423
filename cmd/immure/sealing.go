package main

import (
	"bytes"
	"fmt"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/immure-dev/immure/attest"
	"github.com/immure-dev/immure/attest/evidence"
	"github.com/immure-dev/immure/attest/keys"
	"github.com/immure-dev/immure/attest/tree"
	"github.com/immure-dev/immure/harden/canon"
	"github.com/immure-dev/immure/harden/seccomp"
	"github.com/immure-dev/immure/internal/oci/content"
	"github.com/immure-dev/immure/internal/rootfs"
)

// draftType is of an unsigned predicate beside an image without a seal: what
// immure seal signs. It vouches for nothing.
const draftType = "application/vnd.immure.boundary-draft.v1+json"

// A sealed is an image with what goes beside it, ready to be written.
type sealed struct {
	image      v1.Image
	subject    v1.Descriptor
	treeDigest string
	signed     bool
	artifacts  []content.Artifact
}

// seal signs p twice: for the tree, inside the image that assemble makes, and
// for the manifest of that image. Without a signer it leaves a draft beside.
func seal(t *rootfs.Tree, p attest.Predicate, signer *keys.PrivateKey, assemble func(seal []byte) (v1.Image, error), created time.Time) (*sealed, error) {
	digest, err := tree.Digest(t, tree.SealPath)
	if err != nil {
		return nil, err
	}
	s := &sealed{treeDigest: digest, signed: signer != nil}
	var data []byte
	if signer != nil {
		if data, err = attest.Seal(p, digest, *signer); err != nil {
			return nil, err
		}
	}
	if s.image, err = assemble(data); err != nil {
		return nil, err
	}
	raw, err := s.image.RawManifest()
	if err != nil {
		return nil, fmt.Errorf("make manifest: %w", err)
	}
	if err := s.describe(raw); err != nil {
		return nil, err
	}
	if signer == nil {
		return s, s.draft(p)
	}
	statement, err := attest.Sign(p, attest.Manifest(raw), *signer)
	if err != nil {
		return nil, err
	}
	s.artifacts = append(s.artifacts, evidence.Bundle(statement, attest.PredicateType, s.subject, epoch(created)))
	return s, nil
}

func (s *sealed) describe(raw []byte) error {
	mediaType, err := s.image.MediaType()
	if err != nil {
		return fmt.Errorf("make manifest: %w", err)
	}
	hash, size, err := v1.SHA256(bytes.NewReader(raw))
	if err != nil {
		return fmt.Errorf("make manifest: %w", err)
	}
	s.subject = v1.Descriptor{MediaType: mediaType, Digest: hash, Size: size}
	return nil
}

func (s *sealed) draft(p attest.Predicate) error {
	data, err := canon.Encode(p)
	if err != nil {
		return fmt.Errorf("write draft: %w", err)
	}
	s.artifacts = append(s.artifacts, content.Artifact{
		Type: draftType, Layers: []content.Blob{{MediaType: draftType, Data: data}}, Subject: &s.subject,
	})
	return nil
}

// profileArtifact is the seccomp profile in the form of KEP-6061, beside the
// image; none for an unconfined service.
func profileArtifact(a seccomp.Artifact, subject v1.Descriptor) []content.Artifact {
	if a.Layer == nil {
		return nil
	}
	return []content.Artifact{{
		Type:    seccomp.ProfileMediaType,
		Config:  content.Blob{MediaType: seccomp.ProfileMediaType, Data: a.Config},
		Layers:  []content.Blob{{MediaType: seccomp.LayerMediaType, Data: a.Layer}},
		Subject: &subject,
	}}
}

// epoch is the time written into what must be reproducible.
func epoch(t time.Time) time.Time {
	if t.IsZero() {
		return time.Unix(0, 0).UTC()
	}
	return t
}
