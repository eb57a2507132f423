package main

import (
	"fmt"

	"github.com/immure-dev/immure/harden"
	"github.com/immure-dev/immure/harden/apparmor"
	"github.com/immure-dev/immure/harden/docker"
	"github.com/immure-dev/immure/harden/oci"
	"github.com/immure-dev/immure/harden/seccomp"
	"github.com/spf13/cobra"
)

// forms are what render writes, by the word that names them.
var forms = map[string]func(d *declared) ([]byte, error){
	"boundary":   renderBoundary,
	"oci":        renderOCI,
	"seccomp":    renderSeccomp,
	"docker-run": renderDocker,
	"apparmor":   renderAppArmor,
}

func newRender() *cobra.Command {
	var t trust
	var to string
	cmd := &cobra.Command{
		Use:   "render --to boundary|oci|seccomp|docker-run|apparmor IMAGE|boundary.json",
		Short: "Write a boundary in the form that another program reads",
		Long: `Write the service boundary of an image, or one from a file, in another form:
always the tightest, with what the runtime itself needs where the form is a
runtime's.

` + imageHelp,
		Args: oneImage,
		RunE: func(cmd *cobra.Command, args []string) error {
			form, ok := forms[to]
			if !ok {
				return fmt.Errorf("--to %q is none of boundary, oci, seccomp, docker-run, apparmor", to)
			}
			d, err := readDeclared(cmd.Context(), args[0], &t)
			if err != nil {
				return err
			}
			defer d.Close()
			data, err := form(d)
			if err != nil {
				return err
			}
			_, err = cmd.OutOrStdout().Write(data)
			return err
		},
	}
	t.flags(cmd)
	cmd.Flags().StringVar(&to, "to", "", "form to write: boundary, oci, seccomp, docker-run or apparmor")
	_ = cmd.MarkFlagRequired("to")
	_ = cmd.RegisterFlagCompletionFunc("to", cobra.FixedCompletions([]string{"boundary", "oci", "seccomp", "docker-run", "apparmor"}, cobra.ShellCompDirectiveNoFileComp))
	return cmd
}

func renderBoundary(d *declared) ([]byte, error) {
	data, err := d.Pair.Service.Encode()
	return append(data, '\n'), err
}

func renderOCI(d *declared) ([]byte, error) {
	b, err := withFloor(d.Pair.Service)
	if err != nil {
		return nil, err
	}
	return oci.RenderJSON(b, oci.Input{ID: d.service(), Rootfs: "rootfs", Hostname: d.service()})
}

func renderSeccomp(d *declared) ([]byte, error) {
	b, err := withFloor(d.Pair.Service)
	if err != nil {
		return nil, err
	}
	data, err := seccomp.RenderJSON(b.Syscalls)
	return append(data, '\n'), err
}

func renderAppArmor(d *declared) ([]byte, error) {
	text, err := apparmor.Render(d.service(), d.Pair.Service)
	return []byte(text), err
}

func renderDocker(d *declared) ([]byte, error) {
	if d.File || !isImage(d.Name) {
		text, err := docker.Script(d.Pair.Service, d.Name)
		return []byte(text), err
	}
	name := d.service() + ":latest"
	text, err := docker.Script(d.Pair.Service, name)
	return []byte("# The engine cannot read " + oneLine(d.Name) + ": load it there first, as " + name + "\n" + text), err
}

// profileOf is the KEP-6061 artifact of a service with the floor.
func profileOf(service harden.Boundary) (seccomp.Artifact, error) {
	b, err := withFloor(service)
	if err != nil || b.Syscalls.IsUnconfined() {
		return seccomp.Artifact{}, err
	}
	return seccomp.NewArtifact(b.Syscalls)
}
