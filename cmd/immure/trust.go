package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/immure-dev/immure/attest/keys"
	"github.com/immure-dev/immure/verify/image"
	"github.com/spf13/cobra"
)

// A trust holds the flags by which a user says whom to trust.
type trust struct {
	keyFiles  []string
	plainHTTP bool
}

func (t *trust) flags(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringArrayVar(&t.keyFiles, "key", nil, "public key (PEM) that is trusted; may be given several times, any one suffices")
	f.BoolVar(&t.plainHTTP, "plain-http", false, "let the registry named speak HTTP without TLS")
	_ = cmd.MarkFlagFilename("key", "pub", "pem")
}

func (t *trust) given() bool { return len(t.keyFiles) > 0 }

func (t *trust) keys() ([]keys.PublicKey, error) {
	if !t.given() {
		return nil, errors.New("nobody is trusted yet: name a public key with --key cosign.pub")
	}
	var trusted []keys.PublicKey
	for _, path := range t.keyFiles {
		k, err := keys.LoadPublic(path)
		if err != nil {
			return nil, err
		}
		trusted = append(trusted, k)
	}
	return trusted, nil
}

// How much of an image whose manifest was signed is read.
type extent int

const (
	localFiles   extent = iota // every file of a local image
	allFiles                   // every file
	declarations               // what the image declares; someone else digests its files
)

// verified opens and judges an image.
func (t *trust) verified(ctx context.Context, ref string, read extent) (*opened, *image.Verdict, error) {
	trusted, err := t.keys()
	if err != nil {
		return nil, nil, err
	}
	o, err := openBy(ctx, ref, t.plainHTTP, image.Open)
	if err != nil {
		return nil, nil, err
	}
	v, err := judge(ctx, o, trusted, read)
	if err != nil {
		o.Close()
		return nil, nil, err
	}
	return o, v, nil
}

// judge judges an open image.
func judge(ctx context.Context, o *opened, trusted []keys.PublicKey, read extent) (*image.Verdict, error) {
	v, err := image.Verify(ctx, o.Input, image.Options{Trusted: trusted, Files: read == allFiles || (read == localFiles && o.Local)})
	if err != nil {
		return nil, fmt.Errorf("%s: %w", o.Name, err)
	}
	return v, nil
}
