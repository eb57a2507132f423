package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/immure-dev/immure/attest/tree"
	"github.com/immure-dev/immure/harden/oci"
	"github.com/immure-dev/immure/verify"
	"github.com/immure-dev/immure/verify/image"
	"github.com/spf13/cobra"
)

// maxConfigBytes bounds a runtime configuration; the largest seen has 30 kB.
const maxConfigBytes = 4 << 20

func newVerify() *cobra.Command {
	var t trust
	var config string
	var files, left, asJSON bool
	cmd := &cobra.Command{
		Use:   "verify IMAGE --key cosign.pub [--config config.json]",
		Short: "Judge an image, or a request to run it, by what was signed",
		Long: `Judge an image by its signatures: a trusted key must have signed its boundary,
and its content and declarations must be those that were signed. With --config
an OCI runtime configuration is judged against the signed envelope as well.

` + imageHelp,
		Args: oneImage,
		RunE: func(cmd *cobra.Command, args []string) error {
			read := localFiles
			if files {
				read = allFiles
			}
			o, v, err := t.verified(cmd.Context(), args[0], read)
			if err != nil {
				return told(cmd, asJSON, args[0], err)
			}
			defer o.Close()
			r := newResult(o, v)
			if config != "" {
				d, err := judgeConfig(v, config)
				if err != nil {
					return err
				}
				r.Decision = &d
			}
			if asJSON {
				err = printJSON(cmd.OutOrStdout(), r)
			} else {
				err = r.print(cmd.OutOrStdout(), left)
			}
			if err != nil {
				return err
			}
			if r.Decision != nil && !r.Decision.Allowed {
				return &verify.RefusedError{Refusals: r.Decision.Refusals}
			}
			return nil
		},
	}
	t.flags(cmd)
	f := cmd.Flags()
	f.StringVar(&config, "config", "", "judge this OCI runtime configuration (config.json; - is standard input)")
	f.BoolVar(&files, "files", false, "read every file of an image in a registry, also where its manifest was signed")
	f.BoolVar(&left, "left", false, "list the facets that a configuration cannot express, and who holds them")
	f.BoolVar(&asJSON, "json", false, "print for machines")
	_ = cmd.MarkFlagFilename("config", "json")
	return cmd
}

// told prints a refusal for machines too, before it becomes the exit status.
func told(cmd *cobra.Command, asJSON bool, ref string, err error) error {
	var refused *verify.RefusedError
	if !asJSON || !errors.As(err, &refused) {
		return err
	}
	d := verify.Decision{Form: "image", Refusals: refused.Refusals, Left: []verify.Left{}}
	return errors.Join(printJSON(cmd.OutOrStdout(), &result{Image: ref, Decision: &d}), err)
}

// A result is what verify prints.
type result struct {
	Image      string           `json:"image"`
	Service    string           `json:"service,omitempty"`
	Epoch      int64            `json:"epoch,omitempty"`
	TreeDigest string           `json:"treeDigest,omitempty"`
	Statement  bool             `json:"statement"`
	Files      bool             `json:"files"`
	Decision   *verify.Decision `json:"decision,omitempty"`
}

func newResult(o *opened, v *image.Verdict) *result {
	return &result{
		Image: o.Name, Service: v.Predicate.Name, Epoch: v.Predicate.Epoch, TreeDigest: algorithm(v.TreeDigest),
		Statement: v.Statement, Files: v.Files,
	}
}

func (r *result) print(w io.Writer, left bool) error {
	how := "seal inside, every file read"
	switch {
	case r.Statement && r.Files:
		how = "manifest signed, seal inside, every file read"
	case r.Statement && r.TreeDigest != "":
		how = "manifest signed, seal inside"
	case r.Statement:
		how = "manifest signed"
	}
	if r.Decision != nil {
		how += "; the files at the configuration's root.path were not looked at"
	}
	verdict := "verified"
	if r.Decision != nil && r.Decision.Allowed {
		verdict = "allowed"
	} else if r.Decision != nil {
		verdict = "refused"
	}
	_, err := fmt.Fprintf(w, "%s: %s, service %s, epoch %d (%s)\n", verdict, r.Image, r.Service, r.Epoch, how)
	if err != nil || r.Decision == nil || !left {
		return err
	}
	for _, l := range r.Decision.Left {
		if _, err := fmt.Fprintf(w, "  %s: not judged here, left to %s\n", l.Facet, l.To); err != nil {
			return err
		}
	}
	return nil
}

// judgeConfig decides on a runtime configuration: a request, so the envelope.
func judgeConfig(v *image.Verdict, path string) (verify.Decision, error) {
	data, err := readBounded(path, maxConfigBytes)
	if err != nil {
		return verify.Decision{}, err
	}
	if !json.Valid(data) {
		return verify.Decision{}, fmt.Errorf("read %s: not JSON", path)
	}
	reading, err := oci.Parse(data, oci.Options{})
	if err != nil {
		return verify.Decision{}, fmt.Errorf("read %s: %w", path, err)
	}
	return verify.Decide(v.Predicate.Envelope, reading), nil
}

// readBounded reads a file, or standard input for "-".
func readBounded(path string, most int64) ([]byte, error) {
	in := os.Stdin
	if path != "-" {
		f, err := os.Open(path)
		if err != nil {
			return nil, fmt.Errorf("read %s: %w", path, err)
		}
		defer f.Close()
		in = f
	}
	data, err := io.ReadAll(io.LimitReader(in, most+1))
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", path, err)
	}
	if int64(len(data)) > most {
		return nil, fmt.Errorf("read %s: more than %d bytes", path, most)
	}
	return data, nil
}

// algorithm writes a tree digest as other digests are written.
func algorithm(digest string) string {
	if digest == "" {
		return ""
	}
	return tree.Algorithm + ":" + digest
}
