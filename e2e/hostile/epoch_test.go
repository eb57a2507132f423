//go:build e2e

package hostile_test

import (
	"slices"
	"strings"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/immure-dev/immure/attest"
	"github.com/immure-dev/immure/attest/tree"
	"github.com/immure-dev/immure/harden/order"
	"github.com/immure-dev/immure/internal/oci/content"
)

// older is what was signed before: of a lower epoch, with more memory.
func (f *fixture) older(tb testing.TB) attest.Predicate {
	tb.Helper()
	return f.other(tb, f.predicate.Epoch-1, func(p *attest.Predicate) {
		p.Envelope.Resources.MemoryMaxBytes = order.Unlimited()
		p.Service.Resources.MemoryMaxBytes = order.Unlimited()
	})
}

// other is a predicate that differs from the fixture's.
func (f *fixture) other(tb testing.TB, epoch int64, change func(*attest.Predicate)) attest.Predicate {
	tb.Helper()
	p := f.predicate
	p.Epoch, p.States = epoch, nil
	if change != nil {
		change(&p)
	}
	p, err := p.Complete()
	must(tb, err)
	must(tb, p.Check())
	return p
}

// about signs p for an image's manifest.
func (f *fixture) about(tb testing.TB, img v1.Image, p attest.Predicate) content.Artifact {
	tb.Helper()
	raw, err := img.RawManifest()
	must(tb, err)
	data, err := attest.Sign(p, attest.Manifest(raw), f.key)
	must(tb, err)
	return beside(tb, img, data)
}

// withoutMemoryLimit is a configuration that only the older statement permits.
func (f *fixture) withoutMemoryLimit(tb testing.TB) string {
	tb.Helper()
	r := immure(tb, "render", "--to", "oci", "--key", f.public, f.ref())
	r.allowed(tb)
	const limit = `"limit": 67108864`
	if !strings.Contains(r.stdout, limit) {
		tb.Fatalf("no %s in the configuration", limit)
	}
	return strings.Replace(r.stdout, limit, `"limit": 671088640`, 1)
}

// An older, looser statement of the same tree counts neither beside the newer
// one, in whatever order they are listed, nor in its place.
func TestOlderStatements(t *testing.T) {
	f := service(t)
	config := f.withoutMemoryLimit(t)
	unsealed := f.unsealed(t)
	resealed := func(p attest.Predicate) v1.Image {
		files := flatten(t, f.img)
		f.reseal(t, files, p)
		return f.repack(t, files)
	}
	loose := resealed(f.older(t))
	for _, tc := range []struct {
		name   string
		img    v1.Image
		beside []attest.Predicate
	}{
		{"the older beside the seal", f.img, []attest.Predicate{f.older(t)}},
		{"the older beside the newer", unsealed, []attest.Predicate{f.older(t), f.predicate}},
		{"the older in the seal, the newer beside", loose, []attest.Predicate{f.predicate}},
		{"three of them", unsealed, []attest.Predicate{f.other(t, 1, nil), f.predicate, f.older(t)}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			var statements []content.Artifact
			for _, p := range tc.beside {
				statements = append(statements, f.about(t, tc.img, p))
			}
			for _, order := range []string{"as listed", "reversed"} {
				t.Run(order, func(t *testing.T) {
					offer(t, tc.img, statements, func(t *testing.T, ref string) {
						r := f.verify(t, ref)
						r.allowed(t)
						if !strings.Contains(r.stdout, "epoch 2 ") {
							t.Errorf("another epoch counts: %s", r.stdout)
						}
						r = immureIn(t, nil, config, "verify", ref, "--key", f.public, "--config", "-")
						r.refused(t, 1, "resources.memoryMaxBytes: ")
					})
				})
				slices.Reverse(statements)
			}
		})
	}
	for name, img := range map[string]v1.Image{"in place of the statement": unsealed, "in place of the seal": loose} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var statements []content.Artifact
			if img == unsealed {
				statements = append(statements, f.about(t, img, f.older(t)))
			}
			offer(t, img, statements, func(t *testing.T, ref string) {
				f.verify(t, ref).refused(t, 1, "declarations")
				immureIn(t, nil, config, "verify", ref, "--key", f.public, "--config", "-").refused(t, 1, "declarations")
			})
		})
	}
}

// The seal of another tree, older or newer, does not speak for this one.
func TestSealOfAnotherTree(t *testing.T) {
	f := service(t)
	for name, p := range map[string]attest.Predicate{"older": f.older(t), "newer": f.other(t, 9, nil)} {
		t.Run(name, func(t *testing.T) {
			another := flatten(t, f.img)
			write(t, another, "/usr/bin/more", []byte("#"))
			f.reseal(t, another, p)
			files := flatten(t, f.img)
			write(t, files, tree.SealPath, bytesOf(t, another, tree.SealPath))
			f.verify(t, inLayout(t, f.repack(t, files))).refused(t, 1, "files: ")
		})
	}
}

// Two statements of one epoch that disagree refuse, wherever they stand and
// however little it is; below the highest epoch it does not matter.
func TestStatementsThatDisagree(t *testing.T) {
	f := service(t)
	unsealed := f.unsealed(t)
	for _, tc := range []struct {
		name   string
		change func(*attest.Predicate)
	}{
		{"in the envelope", func(p *attest.Predicate) { p.Envelope.Resources.PIDsMax = order.AtMost(65) }},
		{"in a waiver", func(p *attest.Predicate) {
			p.Waivers = []attest.Waiver{{Facet: "rootfs", Grant: "writable", Reason: "none", Expires: "2030-01-01T00:00:00Z"}}
		}},
		{"in the name", func(p *attest.Predicate) { p.Name = "another" }},
		{"in the kind", func(p *attest.Predicate) { p.Kind = "job" }},
		{"in the launcher", func(p *attest.Predicate) { p.Launcher = true }},
	} {
		p := f.other(t, f.predicate.Epoch, tc.change)
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			two := []content.Artifact{f.about(t, unsealed, f.predicate), f.about(t, unsealed, p)}
			offer(t, unsealed, two, func(t *testing.T, ref string) { f.verify(t, ref).refused(t, 1, "disagree") })
			offer(t, f.img, []content.Artifact{f.about(t, f.img, p)}, func(t *testing.T, ref string) {
				f.verify(t, ref).refused(t, 1, "disagree")
			})
			three := append(two, f.about(t, unsealed, f.predicate))
			f.verify(t, inLayout(t, unsealed, three...)).refused(t, 1, "disagree")
		})
	}
	lower := f.older(t)
	below := []content.Artifact{
		f.about(t, unsealed, lower), f.about(t, unsealed, f.other(t, lower.Epoch, nil)), f.about(t, unsealed, f.predicate),
	}
	offer(t, unsealed, below, func(t *testing.T, ref string) { f.verify(t, ref).allowed(t) })
}
