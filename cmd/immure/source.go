package main

import (
	"context"
	"fmt"
	"os"
	"regexp"
	"sync"

	"github.com/immure-dev/immure/attest"
	"github.com/immure-dev/immure/builder/bake"
	"github.com/immure-dev/immure/harden"
	"github.com/immure-dev/immure/verify/image"
)

// A declared is what an image or a file says of its boundary.
type declared struct {
	Name string
	Pair harden.Pair
	// File reports that a single boundary was read from a file.
	File bool
	// Verdict is of an image that was verified; nil where none was asked for.
	Verdict *image.Verdict
	opened  *opened
}

func (d *declared) Close() {
	if d.opened != nil {
		d.opened.Close()
	}
}

// readDeclared reads what arg, an image or a boundary's file, declares. An
// image is verified where a key was given; otherwise a warning goes to
// standard error.
func readDeclared(ctx context.Context, arg string, t *trust) (*declared, error) {
	if _, err := os.Stat(arg); err == nil && !isImage(arg) {
		return readBoundaryFile(arg)
	}
	if t.given() {
		o, v, err := t.verified(ctx, arg, localFiles)
		if err != nil {
			return nil, err
		}
		return &declared{Name: o.Name, Pair: harden.Pair{Envelope: v.Predicate.Envelope, Service: v.Predicate.Service}, Verdict: v, opened: o}, nil
	}
	o, err := openImage(ctx, arg, t.plainHTTP)
	if err != nil {
		return nil, err
	}
	data, err := image.Boundary(o.Image)
	if err != nil {
		o.Close()
		return nil, fmt.Errorf("%s: %w", o.Name, err)
	}
	pair, err := harden.DecodePair(data)
	if err != nil {
		o.Close()
		return nil, fmt.Errorf("%s: %w", o.Name, err)
	}
	fmt.Fprintf(os.Stderr, "immure: unverified: %s only declares this; verify it with --key\n", o.Name)
	return &declared{Name: o.Name, Pair: pair, opened: o}, nil
}

func readBoundaryFile(path string) (*declared, error) {
	data, err := readBounded(path, harden.MaxEncodedBytes)
	if err != nil {
		return nil, err
	}
	b, err := harden.Decode(data)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return &declared{Name: path, Pair: harden.Pair{Envelope: b, Service: b}, File: true}, nil
}

// serviceName is a DNS label, as the predicate's name is.
var serviceName = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$`) })

// service names what the boundary is of: the image's label says, or nothing.
func (d *declared) service() string {
	if d.Verdict != nil {
		return d.Verdict.Predicate.Name
	}
	if d.opened != nil {
		// A label is a stranger's text, and goes into forms that others read.
		if c, err := d.opened.Image.ConfigFile(); err == nil && serviceName().MatchString(c.Config.Labels[bake.LabelService]) {
			return c.Config.Labels[bake.LabelService]
		}
	}
	return "service"
}

// declaredPredicate is what an image that was not verified says of itself.
func declaredPredicate(ctx context.Context, d *declared) (*attest.Predicate, error) {
	if p, err := image.Claimed(d.opened.Image); err == nil {
		return p, nil
	}
	p, err := draft(ctx, d.opened)
	return &p, err
}
