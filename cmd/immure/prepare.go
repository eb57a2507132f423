package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"github.com/immure-dev/immure/harden"
	"github.com/immure-dev/immure/harden/grant"
	"github.com/immure-dev/immure/harden/oci"
	"github.com/immure-dev/immure/harden/order"
	"github.com/immure-dev/immure/internal/rootfs"
	"github.com/immure-dev/immure/profiles"
	"github.com/immure-dev/immure/verify"
	"github.com/immure-dev/immure/verify/observe"
)

// config renders the tightest configuration, reads it back as a stranger's and
// judges it by the envelope before it is used.
func (o *runOptions) config(service, envelope harden.Boundary, root *root, id string) ([]byte, error) {
	sources, err := o.sources()
	if err != nil {
		return nil, err
	}
	if err := pinned(service, sources); err != nil {
		return nil, err
	}
	if err := o.environment(service); err != nil {
		return nil, err
	}
	floored, err := withFloor(service)
	if err != nil {
		return nil, err
	}
	spec, err := oci.Render(floored, oci.Input{ID: id, Rootfs: root.dir, Hostname: id, Env: o.env, Mounts: sources})
	if err != nil {
		return nil, err
	}
	data, err := json.Marshal(spec) // in one line, for it is read several times
	if err != nil {
		return nil, fmt.Errorf("write config.json: %w", err)
	}
	kinds := make(map[string]string)
	for _, s := range service.Mounts.Members() {
		if from, ok := sources[s.At]; ok {
			kinds[from] = s.Kind
		}
	}
	reading, err := oci.Parse(data, oci.Options{
		Resolve: func(p string) string { return resolved(root.tree, p) },
		// The node's root names the source of each slot on the command line.
		Classify: func(source string) (string, bool) { kind, ok := kinds[source]; return kind, ok },
	})
	if err != nil {
		return nil, err
	}
	if d := verify.Decide(envelope, reading); !d.Allowed {
		return nil, &verify.RefusedError{Refusals: d.Refusals}
	}
	return data, nil
}

// environment judges -e: what the boundary does not allow is refused, and so
// said before the configuration cannot be rendered.
func (o *runOptions) environment(service harden.Boundary) error {
	for _, e := range o.env {
		if name, _, ok := strings.Cut(e, "="); !ok || name == "" {
			return fmt.Errorf("--env %s: write NAME=VALUE", oneLine(e))
		}
		if allowed := service.Process.Env; !allowed.Covers(grant.Env(grant.Literal(e))) {
			return verify.Refuse("process.env", e, allowed.String(), "set what the boundary allows, or state it under run.env and sign again")
		}
	}
	return nil
}

// fillable are the kinds of slots that show something of the host's.
var fillable = []string{"bind", "config", "engine", "hosts", "secret", "volume"}

// pinned refuses sources for slots whose content was signed: it could change
// after it was looked at.
func pinned(service harden.Boundary, sources map[string]string) error {
	slots := slots(service)
	for at := range sources {
		i := slices.IndexFunc(slots, func(s grant.Slot) bool { return s.At == at })
		switch {
		case i < 0:
			return verify.Refuse("mounts", "a mount at "+at, order.Of(slots...).String(), "fill a slot that was signed")
		case slots[i].Digest != order.Any:
			return verify.Refuse("mounts", "a directory of the host at "+at, slots[i].String(), "leave it out: run cannot hold its content still")
		}
	}
	return nil
}

// slots are those that something of the host's can fill.
func slots(service harden.Boundary) []grant.Slot {
	return slices.DeleteFunc(service.Mounts.Members(), func(s grant.Slot) bool { return !slices.Contains(fillable, s.Kind) })
}

// unfilled names the slots that the service was signed with and that nothing
// fills: they are empty directories that cannot be written.
func (o *runOptions) unfilled(service harden.Boundary) []string {
	sources, err := o.sources()
	if err != nil {
		return nil // told where they are used
	}
	var empty []string
	for _, s := range slots(service) {
		if _, filled := sources[s.At]; !filled && (s.Kind == "volume" || s.Kind == "config" || s.Kind == "secret") {
			empty = append(empty, s.At)
		}
	}
	return empty
}

// resolved is where a path leads inside the root. A path that is missing there
// is its own: the runtime makes it, or another mount brings it. One that a link
// leads to nowhere is not, for the runtime would make that and mount there.
func resolved(t *rootfs.Tree, p string) string {
	_, real, err := t.Resolve(p)
	switch {
	case err == nil:
		return real
	case !errors.Is(err, fs.ErrNotExist):
		return "" // no place to mount at
	case order.Beneath(p, real):
		return p
	}
	return real
}

// withFloor adds what every runtime known here calls between filter and
// program: which one will read a rendering is not known.
func withFloor(b harden.Boundary) (harden.Boundary, error) {
	floors, err := profiles.Floors()
	if err != nil {
		return b, err
	}
	b.Syscalls = b.Syscalls.With(floors...)
	return b, nil
}

// checkStarted reads the service back from the kernel, behind its exec and
// before its first instruction.
func checkStarted(service harden.Boundary, pid int) error {
	s, err := observe.ReadStatus(pid)
	if err != nil {
		return err
	}
	if d := verify.Decide(service, s.Reading()); !d.Allowed {
		return &verify.RefusedError{Refusals: d.Refusals}
	}
	return nil
}
