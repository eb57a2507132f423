package main

import (
	"fmt"
	"path/filepath"

	"github.com/immure-dev/immure/attest/keys"
	"github.com/spf13/cobra"
)

func newKeygen() *cobra.Command {
	var kind, prefix string
	var force bool
	cmd := &cobra.Command{
		Use:   "keygen",
		Short: "Make a key pair that cosign reads: cosign.key, cosign.pub",
		Long: `Make a key pair in cosign's form: the private key encrypted under a password
(COSIGN_PASSWORD, or a prompt), the public key as PEM.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			key, err := keys.Generate(keys.Kind(kind))
			if err != nil {
				return err
			}
			secret, err := newPassword()
			if err != nil {
				return err
			}
			private, public := prefix+".key", prefix+".pub"
			if err := keys.WriteFiles(private, public, key, secret, force); err != nil {
				return err
			}
			fmt.Fprintf(cmd.ErrOrStderr(), "wrote %s (keep it secret) and %s\n", filepath.Clean(private), filepath.Clean(public))
			return nil
		},
	}
	f := cmd.Flags()
	f.StringVar(&kind, "type", string(keys.ECDSA), "ecdsa (P-256) or ed25519")
	f.StringVarP(&prefix, "output", "o", "cosign", "path of the two files without their endings")
	_ = cmd.RegisterFlagCompletionFunc("type", cobra.FixedCompletions([]string{string(keys.ECDSA), string(keys.Ed25519)}, cobra.ShellCompDirectiveNoFileComp))
	f.BoolVar(&force, "force", false, "replace files that exist")
	return cmd
}
