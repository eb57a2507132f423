package image_test

import (
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/immure-dev/immure/attest"
	"github.com/immure-dev/immure/harden/order"
	"github.com/immure-dev/immure/verify/image"
)

// looser is a change of what is signed that shows in the boundary.
func looser(p *attest.Predicate) {
	p.Service.Resources.PIDsMax = order.AtMost(65)
	p.Envelope.Resources.PIDsMax = order.AtMost(66)
}

// ofEpoch is what d says, of another epoch.
func (d *draft) ofEpoch(epoch int64, change func(*attest.Predicate)) attest.Predicate {
	d.tb.Helper()
	p := d.predicate
	p.Epoch = epoch
	if change != nil {
		change(&p)
	}
	return completed(d.tb, p)
}

// withSeal is the image, as its draft declares itself, with a seal that says p.
func (d *draft) withSeal(p attest.Predicate) v1.Image {
	d.tb.Helper()
	sealing := *d
	sealing.predicate = p
	return sealing.sealed()
}

// The higher epoch counts, and what the image declares must be of that one.
// Below it anything may have been said.
func TestEpochs(t *testing.T) {
	t.Parallel()
	for size, draw := range sizes {
		d := draw(t, 5)
		lower, higher := d.ofEpoch(4, looser), d.ofEpoch(6, looser)
		for _, c := range []struct {
			name   string
			seal   attest.Predicate
			beside []attest.Predicate
			facet  string // empty: accepted, with epoch 5
		}{
			{"the seal is higher", d.predicate, []attest.Predicate{lower}, ""},
			{"the statement is higher", lower, []attest.Predicate{d.predicate}, ""},
			{"one of the statements is higher", lower, []attest.Predicate{d.ofEpoch(3, nil), d.predicate, lower}, ""},
			{"all are the same", d.predicate, []attest.Predicate{d.predicate, d.predicate}, ""},
			{"lower ones disagree", d.predicate, []attest.Predicate{lower, d.ofEpoch(4, nil), d.predicate}, ""},
			{"the seal is higher than the image says", higher, []attest.Predicate{d.predicate}, "declarations"},
			{"the statement is higher than the image says", d.predicate, []attest.Predicate{higher}, "declarations"},
			{"both are lower than the image says", lower, []attest.Predicate{lower}, "declarations"},
			{"the seal disagrees", d.ofEpoch(5, looser), []attest.Predicate{d.predicate}, "signature"},
			{"the statement disagrees", d.predicate, []attest.Predicate{d.ofEpoch(5, looser)}, "signature"},
			{"one of two statements disagrees", d.predicate, []attest.Predicate{d.ofEpoch(5, looser), d.predicate}, "signature"},
			{"the statement's waivers disagree", d.predicate, []attest.Predicate{d.ofEpoch(5, func(p *attest.Predicate) { p.Waivers = nil })}, "signature"},
			{"the statement's launcher disagrees", d.predicate, []attest.Predicate{d.ofEpoch(5, func(p *attest.Predicate) { p.Launcher = true })}, "signature"},
			{"another service", d.predicate, []attest.Predicate{d.ofEpoch(5, func(p *attest.Predicate) { p.Name = "other" })}, "signature"},
			{"another service of a higher epoch", d.predicate, []attest.Predicate{d.ofEpoch(6, func(p *attest.Predicate) { p.Name = "other" })}, "declarations"},
		} {
			t.Run(size+"/"+c.name, func(t *testing.T) {
				img := d.withSeal(c.seal)
				v, err := judge(t, img, stated(t, img, c.beside...))
				if c.facet != "" {
					refused(t, err, c.facet)
					return
				}
				must(t, err)
				same, err := v.Predicate.Equal(d.predicate)
				must(t, err)
				if !same || !v.Statement || v.TreeDigest == "" || !v.Files {
					t.Errorf("got %+v", v)
				}
			})
		}
	}
}

// Two statements of the highest epoch beside an image without a seal.
func TestStatementsThatDisagree(t *testing.T) {
	d := newDraft(t, 5)
	img := d.image()
	for _, beside := range [][]attest.Predicate{
		{d.predicate, d.ofEpoch(5, looser)},
		{d.ofEpoch(5, looser), d.predicate, d.predicate},
	} {
		_, err := judge(t, img, stated(t, img, beside...))
		refused(t, err, "signature")
	}
}

// Where the manifest was signed a brief reading may leave the files to that
// signature. A full one must not, and no verdict says that files were read
// which were not.
func TestManifestVouchesForFiles(t *testing.T) {
	d := newLargeDraft(t, 2)
	seal := layer(t, d.seal(author()))
	d.find("usr/bin/hello").data = "#!other"
	img := d.image(seal)
	brief, _, briefErr, fullErr := bothWays(t, img, stated(t, img, d.predicate), author().Public())
	refused(t, fullErr, "files", "immureTree1:")
	switch {
	case briefErr != nil:
		refused(t, briefErr, "files")
	case brief.Files || !brief.Statement:
		t.Errorf("files that differ from the seal's were accepted: %+v", brief)
	}
	_, err := image.Verify(t.Context(), image.Input{Image: img}, image.Options{Trusted: trust(author())})
	refused(t, err, "files")
}
