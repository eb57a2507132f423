package main

import (
	"context"
	"errors"
	"fmt"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/spf13/cobra"

	"github.com/immure-dev/immure/attest"
	"github.com/immure-dev/immure/builder/bake"
	"github.com/immure-dev/immure/harden/canon"
	"github.com/immure-dev/immure/internal/oci/content"
	"github.com/immure-dev/immure/verify/image"
)

func newSeal() *cobra.Command {
	var key string
	var to destination
	cmd := &cobra.Command{
		Use:   "seal IMAGE --key cosign.key (-o DIR | --push REF)",
		Short: "Seal an image that was built without a key",
		Long: `Sign what an image that immure built without a key declares, put the seal into
the image and the statement beside it. The result is the image that a build
with the key would have made. Its reference is printed on standard output.

` + imageHelp,
		Args: oneImage,
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := to.check(); err != nil {
				return err
			}
			if key == "" {
				return errors.New("no key to seal with: name a private key with --key cosign.key")
			}
			name, err := sealImage(cmd.Context(), args[0], key, &to)
			if err != nil {
				return err
			}
			_, err = fmt.Fprintln(cmd.OutOrStdout(), name)
			return err
		},
	}
	cmd.Flags().StringVar(&key, "key", "", "private key (cosign.key) to sign with")
	to.flags(cmd)
	_ = cmd.MarkFlagFilename("key", "key")
	return cmd
}

func sealImage(ctx context.Context, ref, key string, to *destination) (string, error) {
	o, err := openImage(ctx, ref, to.plainHTTP)
	if err != nil {
		return "", err
	}
	defer o.Close()
	p, err := draft(ctx, o)
	if err != nil {
		if _, sealed := image.Claimed(o.Image); sealed == nil {
			err = errors.New("the image bears a seal already")
		}
		return "", fmt.Errorf("%s: %w", o.Name, err)
	}
	t, err := image.Unsealed(o.Image, p)
	if err != nil {
		return "", fmt.Errorf("%s: %w", o.Name, err)
	}
	signer, err := loadSigner(key)
	if err != nil {
		return "", err
	}
	config, err := o.Image.ConfigFile()
	if err != nil {
		return "", fmt.Errorf("%s: %w", o.Name, err)
	}
	var seals []*bake.Layer
	defer func() {
		for _, l := range seals {
			_ = l.Close() // a temporary file without a name
		}
	}()
	s, err := seal(t, p, signer, func(data []byte) (v1.Image, error) {
		l, err := bake.SealLayer(data, config.Created.Time)
		if err != nil {
			return nil, err
		}
		seals = append(seals, l)
		return bake.AddSeal(o.Image, l, config.Created.Time)
	}, config.Created.Time)
	if err != nil {
		return "", err
	}
	profile, err := profileOf(p.Service)
	if err != nil {
		return "", err
	}
	s.artifacts = append(s.artifacts, profileArtifact(profile, s.subject)...)
	return to.write(ctx, s)
}

// maxDraft bounds a draft as a seal is bounded, before base64.
const maxDraft = 64 << 10

// draft finds what a build without a key left beside the image.
func draft(ctx context.Context, o *opened) (p attest.Predicate, err error) {
	missing := errors.New("no draft of a statement beside the image: build it with immure build, without --key")
	if o.Beside == nil {
		return p, missing
	}
	digest, err := o.Image.Digest()
	if err != nil {
		return p, err
	}
	all, err := o.Beside.Referrers(ctx, digest)
	if err != nil {
		return p, err
	}
	for _, d := range all {
		if d.Size > content.MaxManifestBytes {
			continue
		}
		raw, err := content.ReadManifest(ctx, o.Beside, d.Digest, content.MaxManifestBytes)
		if err != nil {
			return p, err
		}
		m, err := content.ParseManifest(raw)
		if err != nil || m.ArtifactType != draftType || len(m.Layers) != 1 || m.Subject == nil || m.Subject.Digest != digest {
			continue
		}
		data, err := content.ReadBlob(ctx, o.Beside, m.Layers[0], maxDraft)
		if err != nil {
			return p, err
		}
		if err := canon.Decode(data, &p); err != nil {
			return p, fmt.Errorf("read draft: %w", err)
		}
		return p, nil
	}
	return p, missing
}
