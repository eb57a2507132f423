package image_test

import (
	"context"
	"strings"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/immure-dev/immure/internal/oci/content"
	"github.com/immure-dev/immure/verify/image"
)

// A seal that outranks the statement speaks for the files that it was made
// for, so that a brief reading cannot leave them to the statement.
func TestAHigherSealIsOfTheFiles(t *testing.T) {
	d := newLargeDraft(t, 2)
	seal := layer(t, d.seal(author()))
	d.find("usr/bin/hello").data = "#!other"
	img := d.image(seal)
	_, err := judge(t, img, stated(t, img, d.ofEpoch(1, nil)))
	refused(t, err, "files", "immureTree1:")
}

// A statement beside an image seals it again without a change to the image,
// whose label stays at the epoch of its build.
func TestAStatementSealsAgain(t *testing.T) {
	for size, draw := range sizes {
		d := draw(t, 1)
		img := d.sealed()
		v, err := judge(t, img, stated(t, img, d.ofEpoch(2, nil)))
		must(t, err)
		if v.Predicate.Epoch != 2 {
			t.Errorf("%s: epoch %d counts, want 2", size, v.Predicate.Epoch)
		}
		for _, label := range []string{"3", "0", "-1", "01", "", "1 ", "one"} {
			d := draw(t, 1)
			d.config.Labels["dev.immure.epoch"] = label
			img := d.sealed()
			_, err := judge(t, img, stated(t, img, d.ofEpoch(2, nil)))
			refused(t, err, "declarations", "epoch")
		}
		// Without a statement, and of an epoch in between, the label is a lie.
		d = draw(t, 3)
		d.config.Labels["dev.immure.epoch"] = "2"
		img = d.sealed()
		_, err = judge(t, img, newShelf())
		refused(t, err, "declarations", "epoch")
		_, err = judge(t, img, stated(t, img, d.ofEpoch(4, nil)))
		refused(t, err, "declarations", "epoch")
	}
}

// Engines take layers that they have unpacked before by the configuration's
// diff ids, which nothing but the configuration ties to the manifest's layers.
func TestDiffIDsAreOfTheLayers(t *testing.T) {
	d := newDraft(t, 1)
	evil := layer(t, entry{name: "usr/bin/hello", data: "#!evil", mode: 0o555})
	h, err := evil.DiffID()
	must(t, err)
	files := static.NewLayer(archive(t, d.files...), types.OCIUncompressedLayer)
	_, err = judge(t, d.imageOf(packed{files, h}, layer(t, d.declared...), layer(t, d.seal(author()))), newShelf())
	refused(t, err, "files", "diff_ids")
	// What is sealed is seen to be so, for a brief reading of it will not see it.
	_, err = image.Unsealed(d.imageOf(packed{files, h}, layer(t, d.declared...)), d.predicate)
	refused(t, err, "files", "diff_ids")
}

func TestThereIsADiffIDForEachLayer(t *testing.T) {
	for size, draw := range sizes {
		for name, change := range map[string]func(c *v1.ConfigFile){
			"one more in front": func(c *v1.ConfigFile) { c.RootFS.DiffIDs = append([]v1.Hash{c.RootFS.DiffIDs[0]}, c.RootFS.DiffIDs...) },
			"one less":          func(c *v1.ConfigFile) { c.RootFS.DiffIDs = c.RootFS.DiffIDs[1:] },
			"none":              func(c *v1.ConfigFile) { c.RootFS.DiffIDs = nil },
		} {
			t.Run(name+"/"+size, func(t *testing.T) {
				d := draw(t, 1)
				img := d.sealed()
				config, err := img.ConfigFile()
				must(t, err)
				config = config.DeepCopy()
				change(config)
				img, err = mutate.ConfigFile(img, config)
				must(t, err)
				_, err = judge(t, img, stated(t, img, d.predicate))
				refused(t, err, "files", "diff_ids")
			})
		}
	}
}

func TestASealIsAPlainFile(t *testing.T) {
	for name, change := range map[string]func(*entry){
		"setuid":              func(e *entry) { e.mode = 0o4644 },
		"executable":          func(e *entry) { e.mode = 0o755 },
		"writable by anybody": func(e *entry) { e.mode = 0o666 },
		"somebody's":          func(e *entry) { e.uid = 1000 },
	} {
		for size, draw := range sizes {
			t.Run(name+"/"+size, func(t *testing.T) {
				d := draw(t, 1)
				e := d.seal(author())
				change(&e)
				img := d.image(layer(t, e))
				for _, files := range []bool{false, true} {
					_, err := image.Verify(t.Context(), image.Input{Image: img, Beside: stated(t, img, d.predicate)}, image.Options{Trusted: trust(author()), Files: files})
					refused(t, err, "files", "seal.json")
				}
			})
		}
	}
}

func TestNoVerdictOnceItIsCancelled(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := image.Verify(ctx, image.Input{Image: newDraft(t, 1).sealed()}, image.Options{Trusted: trust(author())})
	failed(t, err, context.Canceled.Error())
}

// What an image says of itself comes into a refusal in few words, none of which
// moves a terminal.
func TestRefusalsAreShortAndPlain(t *testing.T) {
	for _, text := range []string{"\x1b[2J\nimmure: verified", "\u202e", strings.Repeat("a", 1<<20)} {
		for name, change := range map[string]func(*v1.Config){
			"cwd":    func(c *v1.Config) { c.WorkingDir = "/" + text },
			"args":   func(c *v1.Config) { c.Cmd = []string{text} },
			"env":    func(c *v1.Config) { c.Env = []string{text + "=1"} },
			"user":   func(c *v1.Config) { c.User = text },
			"port":   func(c *v1.Config) { c.ExposedPorts = map[string]struct{}{text: {}} },
			"volume": func(c *v1.Config) { c.Volumes = map[string]struct{}{"/" + text: {}} },
			"label":  func(c *v1.Config) { c.Labels["dev.immure.service"] = text },
		} {
			d := newDraft(t, 1)
			change(&d.config)
			_, err := judge(t, d.sealed(), newShelf())
			if err == nil {
				t.Fatalf("%s %.20q was accepted", name, text)
			}
			if said := err.Error(); len(said) > 4<<10 || strings.ContainsAny(said, "\x1b\n\u202e") {
				t.Errorf("%s: %d bytes, %.200q", name, len(said), said)
			}
		}
	}
}

// A mute source does not answer what stands beside an image.
type mute struct{ content.Source }

func (mute) Referrers(ctx context.Context, _ v1.Hash) ([]v1.Descriptor, error) {
	<-ctx.Done()
	return nil, ctx.Err()
}

func TestNobodyWaitsLongerThanAsked(t *testing.T) {
	d := newDraft(t, 1)
	img := d.sealed()
	s := stated(t, img, d.predicate)
	digest, err := img.Digest()
	must(t, err)
	s.blobs[digest], err = img.RawManifest()
	must(t, err)
	in, err := image.Open(t.Context(), mute{s}, digest)
	must(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = image.Verify(ctx, in, image.Options{Trusted: trust(author())})
	failed(t, err, context.Canceled.Error())
}
