package main

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/immure-dev/immure/harden"
	"github.com/immure-dev/immure/harden/grant"
	"github.com/immure-dev/immure/verify"
	"github.com/immure-dev/immure/verify/image"
	"github.com/immure-dev/immure/verify/runtime"
	"github.com/spf13/cobra"
)

type runOptions struct {
	trust   trust
	name    string
	publish []string
	mounts  []string
	env     []string
	runtime string
	store   string
	detach  bool
	asJSON  bool
}

func newRun() *cobra.Command {
	var o runOptions
	cmd := &cobra.Command{
		Use:   "run IMAGE --key cosign.pub [-p 8080:8080/tcp]",
		Short: "Verify an image and run it inside its signed boundary",
		Long: `Verify an image, unpack it into a private store, check its files against the
seal, and run it under runc or crun inside the tightest boundary: the signed
service's. The service lives in a network namespace of its own; -p publishes a
port that its boundary states. Exit status 1 when refused, 2 when it could not
be decided, and the service's own once it has started.

Needs root with CAP_SYS_PTRACE, and runc or crun (on cgroup v2).

` + imageHelp,
		Args: oneImage,
		RunE: func(cmd *cobra.Command, args []string) error {
			if o.detach {
				return o.detached(cmd)
			}
			return o.run(cmd.Context(), args[0])
		},
	}
	o.trust.flags(cmd)
	f := cmd.Flags()
	f.StringVar(&o.name, "name", "", "name of the container (default: the service's name and a random end)")
	f.StringArrayVarP(&o.publish, "publish", "p", nil, "publish [ADDR:]PORT:CONTAINERPORT[/tcp|/udp], on every\naddress unless ADDR is given; PORT 0 lets the kernel choose")
	f.StringArrayVar(&o.mounts, "mount", nil, "fill a signed mount slot: DESTINATION=PATH")
	f.StringArrayVarP(&o.env, "env", "e", nil, "set NAME=VALUE, where the boundary allows the name")
	f.StringVar(&o.runtime, "runtime", "", "path of runc or crun (default: found in PATH)")
	f.StringVar(&o.store, "store", "/var/lib/immure/store", "private directory of root's for unpacked images")
	f.BoolVarP(&o.detach, "detach", "d", false, "return once the service has started; its output goes to a log")
	f.BoolVar(&o.asJSON, "json", false, "print what was started (name, pid, ports) on standard error for machines")
	return cmd
}

// detached starts this command again in the background.
func (o *runOptions) detached(cmd *cobra.Command) error {
	args := slices.DeleteFunc(slices.Clone(os.Args[1:]), func(a string) bool {
		return a == "-d" || a == "--detach" || a == "--detach=true"
	})
	if len(args) != len(os.Args)-2 {
		return errors.New("write --detach once and by itself")
	}
	running, status, err := runtime.Detach(cmd.Context(), args)
	if err != nil {
		if status > 0 {
			return exitError(status) // the other process has said why
		}
		return err
	}
	if o.asJSON {
		return printJSON(cmd.OutOrStdout(), running)
	}
	published(cmd.ErrOrStderr(), running)
	fmt.Fprintf(cmd.ErrOrStderr(), "immure: kill %d stops it; its output goes to %s\n", running.RunPID, runtime.LogPath(runtime.DefaultStateDir, running.ID))
	_, err = fmt.Fprintln(cmd.OutOrStdout(), running.ID)
	return err
}

func (o *runOptions) run(ctx context.Context, ref string) error {
	if err := runtime.Available(o.runtime); err != nil {
		return err
	}
	if o.name != "" {
		if err := runtime.CheckID(o.name); err != nil {
			return err
		}
	}
	trusted, err := o.trust.keys()
	if err != nil {
		return err
	}
	img, err := openBy(ctx, ref, o.trust.plainHTTP, image.Open)
	if err != nil {
		return err
	}
	defer img.Close()
	v, err := judge(ctx, img, trusted, declarations)
	var ports []runtime.Port
	if err == nil {
		ports, err = o.ports(v.Predicate.Service)
	}
	if err != nil {
		return err
	}
	// What a run left that was killed together with its keeper. It is in nobody's
	// way, so that trouble with it stops no other service. It comes before the store
	// drops trees, for such a container may still use one.
	if err := runtime.CleanStale(""); err != nil {
		fmt.Fprintf(os.Stderr, "immure: note: %s\n", oneLine(err.Error()))
	}
	root, err := unpacked(ctx, o.store, img, v)
	if err != nil {
		return err
	}
	defer root.release()
	img.Close()
	return o.runIn(ctx, root, v, ports)
}

// runIn runs the service that was verified in its root.
func (o *runOptions) runIn(ctx context.Context, root *root, v *image.Verdict, ports []runtime.Port) error {
	service := v.Predicate.Service
	id := o.name
	if id == "" {
		id = v.Predicate.Name + "-" + suffix()
	}
	go root.check(ctx) // beside the configuration, on the other processor
	config, err := o.config(service, v.Predicate.Envelope, root, id)
	if err := cmp.Or(root.check(ctx), err); err != nil {
		return err // files that were changed first: links in them lead mounts elsewhere
	}
	for _, at := range o.unfilled(service) {
		fmt.Fprintf(os.Stderr, "immure: note: nothing fills %s (--mount %s=PATH): it is empty and cannot be written\n", at, at)
	}
	return o.start(ctx, runtime.Options{
		ID: id, Rootfs: root.dir, Config: config, Publish: ports,
		Check: func(_ context.Context, pid int) error {
			if err := root.is(pid); err != nil {
				return err
			}
			return checkStarted(service, pid)
		},
	})
}

// start runs what was prepared and ends with the service's status.
func (o *runOptions) start(ctx context.Context, r runtime.Options) error {
	// From here on signals are the service's.
	r.Runtime, r.Started, r.Interrupted = o.runtime, o.started, ctx.Err
	r.Stdin, r.Stdout, r.Stderr = os.Stdin, os.Stdout, os.Stderr
	status, err := runtime.Run(context.WithoutCancel(ctx), r)
	switch {
	case err != nil:
		return err
	case status != 0:
		return exitError(status)
	}
	return nil
}

// started says where the service listens, when the kernel chose or a machine
// asks.
func (o *runOptions) started(r runtime.Running) {
	if o.asJSON {
		_ = printJSON(os.Stderr, r)
		return
	}
	published(os.Stderr, r)
}

func published(w io.Writer, r runtime.Running) {
	for _, p := range r.Publish {
		fmt.Fprintf(w, "immure: %s listens on %s for %d/%s\n", r.ID, p.Host, p.Container, p.Proto)
	}
}

// ports reads -p and refuses what the boundary does not state.
func (o *runOptions) ports(service harden.Boundary) ([]runtime.Port, error) {
	var ports []runtime.Port
	for _, text := range o.publish {
		p, err := runtime.ParsePort(text)
		if err != nil {
			return nil, err
		}
		want := grant.Port(fmt.Sprintf("%d/%s", p.Container, p.Proto))
		if !service.Network.Listen.Covers(want) {
			return nil, verify.Refuse("network.listen", "publishing "+string(want), service.Network.Listen.String(),
				"publish a port that the boundary states, or state it under boundary.listen and sign again")
		}
		ports = append(ports, p)
	}
	return ports, nil
}

// sources reads --mount.
func (o *runOptions) sources() (map[string]string, error) {
	m := make(map[string]string)
	for _, text := range o.mounts {
		at, from, ok := strings.Cut(text, "=")
		if _, twice := m[at]; !ok || !strings.HasPrefix(at, "/") || !strings.HasPrefix(from, "/") || twice {
			return nil, fmt.Errorf("--mount %s: write DESTINATION=PATH, both absolute, each destination once", text)
		}
		if real, err := filepath.EvalSymlinks(from); err != nil {
			return nil, fmt.Errorf("--mount %s: %w", text, err)
		} else if real == "/" {
			return nil, verify.Refuse("mounts", "the host's root at "+at, "a volume, configuration or secret", "name the directory that holds what the service needs")
		}
		m[at] = from
	}
	return m, nil
}

func suffix() string {
	b := make([]byte, 4)
	_, _ = rand.Read(b) // never fails; see crypto/rand
	return hex.EncodeToString(b)
}
