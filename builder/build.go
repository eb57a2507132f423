package builder

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/immure-dev/immure/builder/bake"
	"github.com/immure-dev/immure/builder/servicefile"
	"github.com/immure-dev/immure/harden"
	"github.com/immure-dev/immure/harden/canon"
	"github.com/immure-dev/immure/harden/grant"
	"github.com/immure-dev/immure/harden/order"
	"github.com/immure-dev/immure/internal/rootfs"
	"github.com/immure-dev/immure/profiles"
)

// Build makes the image of the service that f describes. The caller closes the
// result. Everything that can be wrong is found here, before anything is
// written; when ctx ends, Build ends with its error and leaves nothing behind.
func Build(ctx context.Context, f *servicefile.File, o Options) (*Result, error) {
	if err := f.CheckWaivers(o.Now); err != nil {
		return nil, err
	}
	o.progress("gathering files", 0, 0)
	s, err := gather(ctx, f, o)
	if err != nil {
		return nil, errors.Join(err, s.Close())
	}
	r, err := build(ctx, f, o, s)
	if err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return r, nil
}

func build(ctx context.Context, f *servicefile.File, o Options, s *source) (*Result, error) {
	o.progress("finding what is needed", 0, 0)
	sel := newSelection(f, s)
	from, err := sel.choose()
	if err != nil {
		return nil, err
	}
	c, err := compose(f, from)
	if err != nil {
		return nil, err
	}
	if err := sel.finish(c.b); err != nil {
		return nil, err
	}
	tree, err := sel.tree()
	if err != nil {
		return nil, err
	}
	floor, err := profiles.Floors()
	if err != nil {
		return nil, err
	}
	env, err := envelope(f, c.b)
	if err != nil {
		return nil, err
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	r := &Result{
		Service: f.Service, Epoch: f.Epoch, Kind: f.Kind, Profile: c.profile.Name, Immutability: f.Immutability,
		Why: sel.reasons(), Pair: harden.Pair{Envelope: env, Service: c.b},
		Args: f.Run.Args, Env: c.env, Cwd: f.Run.Cwd, UID: f.Run.UID, GID: f.Run.GID,
		Packages: s.packages, SourceDigest: s.pinned, Unenforced: unenforced(c.b),
		created: o.created(), source: s,
	}
	r.Origins = append(c.origins.list("service", c.b), envelopeOrigins(f, env)...)
	r.Waivers = waivers(f, r.Pair, sel.used)
	r.Unminimised.Files, r.Unminimised.Bytes = measure(s.tree)
	r.Minimised.Files, r.Minimised.Bytes = measure(tree)
	o.progress("baking the boundary", 0, 0)
	if r.Files, err = bake.NewFiles(f.Service, r.Pair, floor...); err != nil {
		return nil, err
	}
	if r.Files.Reasons, err = reasons(tree, r.Why); err != nil {
		return nil, err
	}
	if err := r.layers(tree); err != nil {
		return nil, errors.Join(err, r.closeLayers())
	}
	for _, m := range notices(f, r) {
		o.notice(m)
	}
	return r, nil
}

// reasons says in the image why its files are there, directories apart.
func reasons(t *rootfs.Tree, why map[string]string) ([]byte, error) {
	files := make(map[string]string)
	for n := range t.All() {
		if n.Type != rootfs.Directory {
			files[n.Path] = why[n.Path]
		}
	}
	return canon.Encode(files)
}

// notices tell the author what was left open.
func notices(f *servicefile.File, r *Result) []string {
	var out []string
	if !f.Has("boundary.profile") {
		out = append(out, fmt.Sprintf("boundary.profile is left out: %s", r.Profile))
	}
	for _, l := range []struct{ key, facet string }{
		{"memory", "resources.memoryMaxBytes"}, {"pids", "resources.pidsMax"}, {"cpu", "resources.cpuMaxMillis"},
	} {
		if r.Pair.Service.Text(l.facet) == order.Any {
			out = append(out, fmt.Sprintf("boundary.%s is not limited: any amount", l.key))
		}
	}
	if c := r.Pair.Service.Network.Connect; c.IsAny() || slices.ContainsFunc(c.Members(), leadsOut) {
		out = append(out, "boundary.connect: immure run gives the service a network namespace of its own, and no way out of it yet: under immure run it will reach none of "+c.String())
	}
	for _, w := range f.Waivers {
		if !slices.ContainsFunc(r.Waivers, func(u Waiver) bool { return w.Covers(u.Facet, u.Grant) }) {
			out = append(out, fmt.Sprintf("the waiver for %s %q waives nothing", w.Facet, w.Grant))
		}
	}
	return out
}

// leadsOut reports whether a destination is beyond the loopback device.
func leadsOut(e grant.Endpoint) bool {
	host, block, _, err := e.Split()
	return err != nil || (host != "localhost" && !block.Addr().IsLoopback())
}
