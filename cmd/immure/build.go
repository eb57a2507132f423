package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/immure-dev/immure/attest"
	"github.com/immure-dev/immure/builder"
	"github.com/immure-dev/immure/builder/servicefile"
	"github.com/spf13/cobra"
)

type buildOptions struct {
	file, key string
	relock    bool
	asJSON    bool
	to        destination
}

func newBuild() *cobra.Command {
	var o buildOptions
	cmd := &cobra.Command{
		Use:   "build [-f immure.yaml] --key cosign.key (-o DIR | --push REF)",
		Short: "Build a service into a minimal read-only image, and sign its boundary",
		Long: `Build the service that a service file describes into a minimal read-only image
with its boundary baked in, seal the image and sign the statement beside it.
The image's reference with its digest is printed, alone, on standard output.

The same inputs give the same digest, on any machine and in any directory.
SOURCE_DATE_EPOCH is honoured. Without --key the image bears no seal; immure
seal adds it later.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			p := newProgress(cmd.ErrOrStderr())
			defer p.done()
			return build(cmd.Context(), o, cmd, p)
		},
	}
	f := cmd.Flags()
	f.StringVarP(&o.file, "file", "f", "immure.yaml", "service file")
	f.StringVar(&o.key, "key", "", "private key (cosign.key) to sign with; its password comes from COSIGN_PASSWORD or a prompt")
	f.BoolVar(&o.relock, "relock", false, "resolve Debian packages anew and write the lock file")
	f.BoolVar(&o.asJSON, "json", false, "print for machines: reference, digests, sizes")
	o.to.flags(cmd)
	_ = cmd.MarkFlagFilename("file", "yaml", "yml")
	_ = cmd.MarkFlagFilename("key", "key")
	return cmd
}

func build(ctx context.Context, o buildOptions, cmd *cobra.Command, p *progress) error {
	if err := o.to.check(); err != nil {
		return err
	}
	created, err := sourceDate()
	if err != nil {
		return err
	}
	data, err := readBounded(o.file, servicefile.MaxBytes)
	if err != nil {
		return err
	}
	f, err := servicefile.Parse(o.file, data)
	if err != nil {
		return err
	}
	opening, ctx := openSigner(ctx, o.key)
	defer opening.close()
	if f.From.Debian != nil {
		// A build from packages writes a lock file: with a wrong password nothing
		// is written.
		if _, err := opening.wait(); err != nil {
			return err
		}
	}
	clean, err := workdir()
	if err != nil {
		return err
	}
	defer clean()
	r, err := builder.Build(ctx, f, builder.Options{
		Dir: filepath.Dir(o.file), Now: time.Now(), Created: created, Relock: o.relock,
		Progress: p.step, Notice: p.notice,
	})
	if err == nil {
		defer r.Close()
	}
	signer, keyErr := opening.wait()
	if err := cmp.Or(keyErr, err); err != nil {
		return err
	}
	predicate, err := predicateOf(r)
	if err != nil {
		return err
	}
	p.step("signing", 0, 0)
	s, err := seal(r.Tree, predicate, signer, r.Image, created)
	if err != nil {
		return err
	}
	s.artifacts = append(s.artifacts, profileArtifact(r.Files.Artifact, s.subject)...)
	p.step("writing", 0, 0)
	name, err := o.to.write(ctx, s)
	if err != nil {
		return err
	}
	p.done()
	if o.asJSON {
		return printJSON(cmd.OutOrStdout(), summary(name, s, r))
	}
	if signer == nil {
		p.notice("the image bears no seal: nobody can verify it until immure seal signs it")
	}
	_, err = fmt.Fprintln(cmd.OutOrStdout(), name)
	return err
}

// A built is what build --json prints.
type built struct {
	Image      string          `json:"image"`
	Digest     string          `json:"digest"`
	TreeDigest string          `json:"treeDigest"`
	Boundary   string          `json:"boundary"`
	Sealed     bool            `json:"sealed"`
	Size       builder.Measure `json:"size"`
	// Unminimised is of the source's files altogether; not known of a compiler.
	Unminimised *builder.Measure `json:"unminimised,omitempty"`
}

func summary(name string, s *sealed, r *builder.Result) built {
	b := built{
		Image: name, Digest: s.subject.Digest.String(), TreeDigest: algorithm(s.treeDigest), Boundary: r.Files.BoundaryDigest,
		Sealed: s.signed, Size: r.Minimised,
	}
	if r.Unminimised.Files > 0 {
		b.Unminimised = &r.Unminimised
	}
	return b
}

// sourceDate is SOURCE_DATE_EPOCH, or the zero time.
// Source: reproducible-builds.org, SOURCE_DATE_EPOCH specification 1.1.
func sourceDate() (time.Time, error) {
	text, ok := os.LookupEnv("SOURCE_DATE_EPOCH")
	if !ok || text == "" {
		return time.Time{}, nil
	}
	seconds, err := strconv.ParseInt(text, 10, 64)
	if err != nil || seconds < 0 || seconds > 253402300799 {
		return time.Time{}, fmt.Errorf("SOURCE_DATE_EPOCH %q is not a number of seconds since 1970", text)
	}
	return time.Unix(seconds, 0).UTC(), nil
}

// predicateOf says of a build what is to be signed.
func predicateOf(r *builder.Result) (attest.Predicate, error) {
	p := attest.Predicate{
		Name: r.Service, Epoch: r.Epoch, Kind: r.Kind, Service: r.Pair.Service, Envelope: r.Pair.Envelope, Immutability: r.Immutability,
	}
	for _, w := range r.Waivers {
		p.Waivers = append(p.Waivers, attest.Waiver{Facet: w.Facet, Grant: w.Grant, Reason: w.Reason, Expires: w.Expires.UTC().Format(time.RFC3339)})
	}
	for _, o := range r.Origins {
		p.Origins = append(p.Origins, attest.Origin{From: o.From, Boundary: o.Boundary, Facet: o.Facet, Grants: o.Grants})
	}
	for _, u := range r.Unenforced {
		p.Unenforced = append(p.Unenforced, attest.Unenforced{Facet: u.Facet, Grants: []string{}, By: u.By})
	}
	p, err := p.Complete()
	if err != nil {
		return p, err
	}
	if err := p.Check(); err != nil {
		return p, fmt.Errorf("what was built cannot be signed: %w", err)
	}
	return p, nil
}

var errNoDestination = errors.New("say where the image goes: -o DIR for an OCI layout, --push REF for a registry")
