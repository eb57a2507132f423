package layout_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/google/go-containerregistry/pkg/v1/types"

	ggcr "github.com/google/go-containerregistry/pkg/v1/layout"

	"github.com/immure-dev/immure/internal/oci/content"
	"github.com/immure-dev/immure/internal/oci/layout"
)

type bed struct {
	*testing.T
	dir     string
	image   v1.Image
	subject v1.Descriptor
}

func newBed(t *testing.T) *bed {
	t.Helper()
	b := &bed{T: t, dir: filepath.Join(t.TempDir(), "image")}
	img, err := random.Image(1000, 2)
	b.must(err)
	b.image = mutate.ConfigMediaType(mutate.MediaType(img, types.OCIManifestSchema1), types.OCIConfigJSON)
	h, err := b.image.Digest()
	b.must(err)
	raw, err := b.image.RawManifest()
	b.must(err)
	b.subject = v1.Descriptor{MediaType: types.OCIManifestSchema1, Digest: h, Size: int64(len(raw))}
	b.must(layout.Write(t.Context(), b.dir, b.image, "example.com/hello:1", b.note(1)))
	return b
}

func (b *bed) must(err error) {
	b.Helper()
	if err != nil {
		b.Fatal(err)
	}
}

// note is an artifact about the image.
func (b *bed) note(n int) content.Artifact {
	return content.Artifact{
		Type: noteType, Layers: []content.Blob{{MediaType: noteType, Data: fmt.Append(nil, "note ", n)}}, Subject: &b.subject,
	}
}

const noteType = "application/vnd.example.note"

// read reads all that a layout holds of its one image, and the notes about it.
func read(ctx context.Context, dir string) (notes []string, err error) {
	l, err := layout.Open(dir)
	if err != nil {
		return nil, err
	}
	defer l.Close()
	h, err := l.Image(ctx, v1.Hash{})
	if err != nil {
		return nil, err
	}
	img, err := content.Image(ctx, l, h)
	if err != nil {
		return nil, err
	}
	layers, err := img.Layers()
	if err != nil {
		return nil, err
	}
	for _, layer := range layers {
		r, err := layer.Compressed()
		if err != nil {
			return nil, err
		}
		_, err = io.Copy(io.Discard, r)
		r.Close()
		if err != nil {
			return nil, err
		}
	}
	list, err := l.Referrers(ctx, h)
	if err != nil {
		return nil, err
	}
	for _, d := range list {
		raw, err := content.ReadManifest(ctx, l, d.Digest, content.MaxManifestBytes)
		if err != nil {
			return nil, err
		}
		m, err := content.ParseManifest(raw)
		if err != nil {
			return nil, err
		}
		data, err := content.ReadBlob(ctx, l, m.Layers[0], 100)
		if err != nil {
			return nil, err
		}
		notes = append(notes, string(data))
	}
	slices.Sort(notes)
	return notes, nil
}

// files are all files of a layout with their bytes.
func (b *bed) files() map[string]string {
	b.Helper()
	all := make(map[string]string)
	b.must(filepath.WalkDir(b.dir, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := os.ReadFile(path)
		all[strings.TrimPrefix(path, b.dir)] = string(data)
		return err
	}))
	return all
}

func TestWrite(t *testing.T) {
	b := newBed(t)
	notes, err := read(t.Context(), b.dir)
	b.must(err)
	if !slices.Equal(notes, []string{"note 1"}) {
		t.Errorf("got %q", notes)
	}
	first := b.files()
	b.must(layout.Write(t.Context(), b.dir, b.image, "example.com/hello:1", b.note(1)))
	again := b.files()
	if len(first) != len(again) || len(first) != 2+3+1+1+2 {
		t.Errorf("got %d files, then %d", len(first), len(again))
	}
	for name, data := range first {
		if again[name] != data {
			t.Errorf("%s differs the second time", name)
		}
	}
	if left, err := os.ReadDir(filepath.Dir(b.dir)); err != nil || len(left) != 1 {
		t.Errorf("left %v (%v), want the layout alone", left, err)
	}
	// The other implementation reads the image first, under its name.
	path, err := ggcr.FromPath(b.dir)
	b.must(err)
	index, err := path.ImageIndex()
	b.must(err)
	m, err := index.IndexManifest()
	b.must(err)
	if m.Manifests[0].Digest != b.subject.Digest || m.Manifests[0].Annotations[layout.RefName] != "example.com/hello:1" {
		t.Errorf("index.json begins with %+v", m.Manifests[0])
	}
	info, err := os.Stat(b.dir)
	b.must(err)
	if info.Mode().Perm() != 0o755 {
		t.Errorf("the layout has mode %v", info.Mode())
	}
}

func TestAttach(t *testing.T) {
	b := newBed(t)
	l, err := layout.Open(b.dir)
	b.must(err)
	defer l.Close()
	var group sync.WaitGroup
	for i := range 8 {
		group.Go(func() {
			if err := l.Attach(t.Context(), b.note(i+2), b.note(1)); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	notes, err := read(t.Context(), b.dir)
	b.must(err)
	if len(notes) != 9 || len(slices.Compact(notes)) != 9 {
		t.Errorf("got %q, want nine notes", notes)
	}
}

// What is there and no layout stays as it is.
func TestWriteRefuses(t *testing.T) {
	b := newBed(t)
	other := t.TempDir()
	b.must(os.WriteFile(filepath.Join(other, "letter"), []byte("dear"), 0o600))
	file := filepath.Join(other, "letter")
	link := filepath.Join(t.TempDir(), "nowhere")
	b.must(os.Symlink("missing", link))
	for _, dir := range []string{other, file, link, filepath.Join(other, "no", "parent")} {
		if err := layout.Write(t.Context(), dir, b.image, ""); err == nil {
			t.Errorf("wrote a layout at %s", dir)
		}
	}
	if data, err := os.ReadFile(file); err != nil || string(data) != "dear" {
		t.Errorf("the letter reads %q (%v)", data, err)
	}
	if left, err := os.ReadDir(other); err != nil || len(left) != 1 {
		t.Errorf("left %v (%v)", left, err)
	}
}

func TestWriteThroughLink(t *testing.T) {
	b := newBed(t)
	link := filepath.Join(t.TempDir(), "link")
	b.must(os.Symlink(b.dir, link))
	b.must(layout.Write(t.Context(), link, b.image, "again"))
	if _, err := os.Readlink(link); err != nil {
		t.Errorf("the link is gone: %v", err)
	}
	empty := filepath.Join(t.TempDir(), "empty")
	b.must(os.Mkdir(empty, 0o700))
	b.must(layout.Write(t.Context(), empty, b.image, ""))
}

// brokenLayer ends with an error in the middle, or gives other bytes.
type brokenLayer struct {
	v1.Layer
	err error
}

func (l brokenLayer) Compressed() (io.ReadCloser, error) {
	if l.err == nil {
		return io.NopCloser(strings.NewReader("other")), nil
	}
	return io.NopCloser(io.MultiReader(strings.NewReader("half"), errReader{l.err})), nil
}

type errReader struct{ err error }

func (r errReader) Read([]byte) (int, error) { return 0, r.err }

type brokenImage struct {
	v1.Image
	err error
}

func (i brokenImage) Layers() ([]v1.Layer, error) {
	layers, err := i.Image.Layers()
	if err == nil {
		layers[1] = brokenLayer{layers[1], i.err}
	}
	return layers, err
}

// A writing that fails or is interrupted leaves what was there before, whole.
func TestInterruptedWrite(t *testing.T) {
	b := newBed(t)
	before := b.files()
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	for name, write := range map[string]func(dir string) error{
		"cancelled": func(dir string) error { return layout.Write(cancelled, dir, b.image, "") },
		"broken off": func(dir string) error {
			return layout.Write(t.Context(), dir, brokenImage{b.image, io.ErrUnexpectedEOF}, "")
		},
		"other bytes": func(dir string) error { return layout.Write(t.Context(), dir, brokenImage{b.image, nil}, "") },
	} {
		t.Run(name, func(t *testing.T) {
			fresh := filepath.Join(filepath.Dir(b.dir), "fresh")
			for _, dir := range []string{b.dir, fresh} {
				if err := write(dir); err == nil {
					t.Errorf("wrote %s", dir)
				}
			}
			if left, err := os.ReadDir(filepath.Dir(b.dir)); err != nil || len(left) != 1 {
				t.Errorf("left %v (%v)", left, err)
			}
			for path, data := range b.files() {
				if before[path] != data {
					t.Errorf("%s was changed", path)
				}
			}
		})
	}
}

func TestImageByDigest(t *testing.T) {
	b := newBed(t)
	l, err := layout.Open(b.dir)
	b.must(err)
	defer l.Close()
	if h, err := l.Image(t.Context(), b.subject.Digest); err != nil || h != b.subject.Digest {
		t.Errorf("got %s, %v", h, err)
	}
	if _, err := l.Image(t.Context(), v1.Hash{Algorithm: "sha256", Hex: strings.Repeat("0", 64)}); err == nil {
		t.Error("found an image that is not there")
	}
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := l.Image(cancelled, v1.Hash{}); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want that it was cancelled", err)
	}
}
