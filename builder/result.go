package builder

import (
	"cmp"
	"errors"
	"slices"
	"strings"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/immure-dev/immure/builder/bake"
	"github.com/immure-dev/immure/builder/servicefile"
	"github.com/immure-dev/immure/harden"
	"github.com/immure-dev/immure/internal/rootfs"
)

// A Result is a service that was built. Nothing in it is to be changed.
type Result struct {
	Service      string
	Epoch        int64
	Kind         string // "server" or "job"
	Profile      string
	Immutability string // "fixed" or "strict"

	// Tree is the whole image without a seal: what a seal is about.
	Tree *rootfs.Tree
	// Why gives the reason for every path of the tree.
	Why map[string]string

	Pair       harden.Pair
	Origins    []Origin     // of every grant of both boundaries
	Waivers    []Waiver     // those that something needed
	Unenforced []Unenforced // stated, and held by no mechanism at hand

	Args     []string
	Env      []string // NAME=value
	Cwd      string
	UID, GID uint32

	Packages []Package
	// SourceDigest is that of the image that the files came from, or empty.
	SourceDigest string
	// Minimised is what the image holds of the service, Unminimised what its
	// source holds altogether: zero where that is the host or the compiler.
	Minimised, Unminimised Measure

	// Files are what is baked in, for those who put them beside the image.
	Files *bake.Files

	created time.Time
	service *bake.Layer
	baked   *bake.Layer
	seals   []*bake.Layer
	source  *source
}

// A Measure is a number of files, directories apart, and their size.
type Measure struct {
	Files int   `json:"files"`
	Bytes int64 `json:"bytes"`
}

// A Waiver is a wide grant that the author let pass.
type Waiver struct {
	Facet, Grant, Reason string
	Expires              time.Time // UTC
}

// An Unenforced is a facet that no mechanism at hand confines the service to.
type Unenforced struct {
	Facet string
	By    string // what does not enforce it, and what there is instead
}

// layers writes both layers and completes the tree.
func (r *Result) layers(tree *rootfs.Tree) (err error) {
	if r.service, err = bake.NewLayer(tree, r.created); err != nil {
		return err
	}
	if r.baked, err = r.Files.FilesLayer(r.created); err != nil {
		return err
	}
	for _, n := range r.Files.Nodes() {
		if err := tree.Put(n); err != nil {
			return err
		}
		r.Why[n.Path] = "immure's own: the boundary"
	}
	r.Tree = tree
	return tree.Check()
}

// Image is the image with the given seal, or without one when it is nil. It can
// be read until Close.
func (r *Result) Image(seal []byte) (v1.Image, error) {
	layers := []*bake.Layer{r.service, r.baked}
	if seal != nil {
		l, err := bake.SealLayer(seal, r.created)
		if err != nil {
			return nil, err
		}
		r.seals = append(r.seals, l)
		layers = append(layers, l)
	}
	return bake.Config{
		Service: r.Service, Epoch: r.Epoch, Args: r.Args, Env: r.Env, Cwd: r.Cwd, UID: r.UID, GID: r.GID,
		Created: r.created, Pair: r.Pair, Files: r.Files,
	}.Image(layers...)
}

// Close gives back everything that the result holds on to.
func (r *Result) Close() error { return errors.Join(r.closeLayers(), r.source.Close()) }

func (r *Result) closeLayers() error {
	var all []error
	for _, l := range append([]*bake.Layer{r.service, r.baked}, r.seals...) {
		if l != nil {
			all = append(all, l.Close())
		}
	}
	return errors.Join(all...)
}

func measure(t *rootfs.Tree) (files int, bytes int64) {
	if t == nil {
		return 0, 0
	}
	for n := range t.All() {
		if n.Type != rootfs.Directory {
			files++
		}
	}
	return files, t.Size()
}

// A wide is one grant that a waiver lets pass.
type wide struct{ facet, grant string }

// waivers are those of the file that a facet of either boundary or a kept file
// needed: one for each facet. Used are those of files.
func waivers(f *servicefile.File, p harden.Pair, used []wide) []Waiver {
	var out []Waiver
	for _, facet := range harden.Facets() {
		for _, g := range servicefile.Wide(facet, p.Service) {
			used = append(used, wide{facet, g})
		}
		if _, ok := f.EnvelopeFacets[facet]; !ok {
			continue // what engines ask for is the project's, not the author's
		}
		for _, g := range servicefile.Wide(facet, p.Envelope) {
			used = append(used, wide{facet, g})
		}
	}
	for _, u := range used {
		if w, ok := f.Waiver(u.facet, u.grant); ok {
			out = append(out, Waiver{Facet: u.facet, Grant: u.grant, Reason: w.Reason, Expires: w.Expires})
		}
	}
	slices.SortFunc(out, func(a, b Waiver) int {
		return cmp.Or(strings.Compare(a.Facet, b.Facet), strings.Compare(a.Grant, b.Grant))
	})
	return slices.Compact(out)
}
