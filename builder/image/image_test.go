package image

import (
	"archive/tar"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/immure-dev/immure/internal/badregistry"
	"github.com/immure-dev/immure/internal/oci/content"
	"github.com/immure-dev/immure/internal/rootfs"
)

// layerOf is an uncompressed layer of one file.
func layerOf(t testing.TB, name, text string) v1.Layer {
	t.Helper()
	var buf bytes.Buffer
	w := tar.NewWriter(&buf)
	if err := w.WriteHeader(&tar.Header{Name: name, Typeflag: tar.TypeReg, Mode: 0o644, Size: int64(len(text))}); err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(w, text); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return static.NewLayer(buf.Bytes(), types.OCIUncompressedLayer)
}

func imageFor(t testing.TB, arch string, layers ...v1.Layer) v1.Image {
	t.Helper()
	img, err := mutate.AppendLayers(mutate.MediaType(empty.Image, types.OCIManifestSchema1), layers...)
	if err != nil {
		t.Fatal(err)
	}
	c, err := img.ConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	c = c.DeepCopy()
	c.OS, c.Architecture = "linux", arch
	if img, err = mutate.ConfigFile(img, c); err != nil {
		t.Fatal(err)
	}
	return img
}

func layoutWith(t testing.TB, images ...v1.Image) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "layout")
	l, err := layout.Write(dir, empty.Index)
	if err != nil {
		t.Fatal(err)
	}
	for _, img := range images {
		if err := l.AppendImage(img); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func digestOf(t testing.TB, i interface{ Digest() (v1.Hash, error) }) v1.Hash {
	t.Helper()
	h, err := i.Digest()
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func same(p string) string { return p }

// flatten opens and flattens what ref names.
func flatten(ref string) (*rootfs.Tree, error) {
	img, err := Open(context.Background(), ref, same)
	if err != nil {
		return nil, err
	}
	defer img.Close()
	spool, err := rootfs.NewSpool("")
	if err != nil {
		return nil, err
	}
	defer spool.Close()
	return img.Flatten(context.Background(), spool, rootfs.DefaultLimits, func(_, _ int64) {})
}

func blobFile(dir string, h v1.Hash) string { return filepath.Join(dir, "blobs", h.Algorithm, h.Hex) }

func TestLayout(t *testing.T) {
	good := imageFor(t, "amd64", layerOf(t, "a", "one"), layerOf(t, "b", "two"))
	other := imageFor(t, "amd64", layerOf(t, "a", "three"))
	arm := imageFor(t, "arm64", layerOf(t, "a", "four"))
	layers, err := good.Layers()
	if err != nil {
		t.Fatal(err)
	}
	attached, ok := mutate.Subject(other, v1.Descriptor{MediaType: types.OCIManifestSchema1, Digest: digestOf(t, good), Size: 1}).(v1.Image)
	if !ok {
		t.Fatal("an image with a subject is no image")
	}
	for name, c := range map[string]struct {
		make func() (dir string)
		at   v1.Hash
		want string
	}{
		"one":              {func() string { return layoutWith(t, good) }, v1.Hash{}, ""},
		"with evidence":    {func() string { return layoutWith(t, good, attached) }, v1.Hash{}, ""},
		"two":              {func() string { return layoutWith(t, good, other) }, v1.Hash{}, "holds 2 images"},
		"two, one named":   {func() string { return layoutWith(t, good, other) }, digestOf(t, good), ""},
		"none":             {func() string { return layoutWith(t) }, v1.Hash{}, "holds no image"},
		"another digest":   {func() string { return layoutWith(t, good) }, digestOf(t, other), "holds no image"},
		"another platform": {func() string { return layoutWith(t, arm) }, v1.Hash{}, "image is for linux/arm64"},
		"a changed layer": {func() string {
			dir := layoutWith(t, good)
			data, err := os.ReadFile(blobFile(dir, digestOf(t, layers[1])))
			if err != nil {
				t.Fatal(err)
			}
			// Behind the header, so that the archive itself stays well formed.
			copy(data[512:], "TWO")
			replace(t, blobFile(dir, digestOf(t, layers[1])), data)
			return dir
		}, v1.Hash{}, "other bytes: their digest is"},
		"a changed manifest": {func() string {
			dir := layoutWith(t, good)
			replace(t, blobFile(dir, digestOf(t, good)), []byte("{}"))
			return dir
		}, v1.Hash{}, "other bytes: their digest is"},
		"a changed configuration": {func() string {
			dir := layoutWith(t, good)
			m, err := good.Manifest()
			if err != nil {
				t.Fatal(err)
			}
			replace(t, blobFile(dir, m.Config.Digest), []byte("{}"))
			return dir
		}, v1.Hash{}, "configuration: read blob"},
		"a large index": {func() string {
			dir := layoutWith(t, good)
			replace(t, filepath.Join(dir, "index.json"), bytes.Repeat([]byte(" "), maxDocument+1))
			return dir
		}, v1.Hash{}, "more than"},
		"a link out": {func() string {
			dir := layoutWith(t, good)
			blob := blobFile(dir, digestOf(t, good))
			elsewhere := filepath.Join(t.TempDir(), "blob")
			if err := os.Rename(blob, elsewhere); err != nil {
				t.Fatal(err)
			}
			if err := os.Symlink(elsewhere, blob); err != nil {
				t.Fatal(err)
			}
			return dir
		}, v1.Hash{}, "escapes"},
		"no layout": {t.TempDir, v1.Hash{}, "no OCI layout"},
		"twice":     {func() string { return layoutWith(t, good, good) }, v1.Hash{}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			ref := "oci:" + c.make()
			if c.at != (v1.Hash{}) {
				ref += "@" + c.at.String()
			}
			tree, err := flatten(ref)
			if c.want == "" {
				if err != nil {
					t.Fatal(err)
				}
				if tree.Get("/a") == nil || tree.Get("/b") == nil {
					t.Error("files are missing")
				}
			} else if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%v, want %q", err, c.want)
			}
		})
	}
}

func replace(t testing.TB, name string, data []byte) {
	t.Helper()
	if err := os.WriteFile(name, data, 0o644); err != nil {
		t.Fatal(err)
	}
}

// indexOf is an index of one image for each of two platforms, and of another
// for the first that no reader comes to.
func indexOf(t testing.TB, amd, arm v1.Image) v1.ImageIndex {
	t.Helper()
	other := imageFor(t, "amd64", layerOf(t, "other", "three"))
	list := func(img v1.Image, arch string) mutate.IndexAddendum {
		return mutate.IndexAddendum{Add: img, Descriptor: v1.Descriptor{Platform: &v1.Platform{OS: "linux", Architecture: arch}}}
	}
	return mutate.AppendManifests(mutate.IndexMediaType(empty.Index, types.OCIImageIndex), list(arm, "arm64"), list(amd, "amd64"), list(other, "amd64"))
}

func TestNestedIndex(t *testing.T) {
	amd, arm := imageFor(t, "amd64", layerOf(t, "a", "one")), imageFor(t, "arm64", layerOf(t, "a", "two"))
	index := indexOf(t, amd, arm)
	dir := filepath.Join(t.TempDir(), "layout")
	l, err := layout.Write(dir, empty.Index)
	if err != nil {
		t.Fatal(err)
	}
	if err := l.AppendIndex(index); err != nil {
		t.Fatal(err)
	}
	_, host := badregistry.Start(t)
	r, err := name.ParseReference(host + "/svc:1")
	if err != nil {
		t.Fatal(err)
	}
	if err := remote.WriteIndex(r, index); err != nil {
		t.Fatal(err)
	}
	for ref, want := range map[string]string{
		"oci:" + dir: "",
		"oci:" + dir + "@" + digestOf(t, amd).String():   "",
		"oci:" + dir + "@" + digestOf(t, arm).String():   "image is for linux/arm64",
		"oci:" + dir + "@" + digestOf(t, index).String(): "",
		host + "/svc@" + digestOf(t, index).String():     "",
		host + "/svc@" + digestOf(t, arm).String():       "image is for linux/arm64",
	} {
		tree, err := flatten(ref)
		switch {
		case want != "":
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%s: %v, want %q", ref, err, want)
			}
		case err != nil:
			t.Errorf("%s: %v", ref, err)
		case tree.Get("/a") == nil:
			t.Errorf("%s: the image is another", ref)
		}
	}
}

// indexIn writes an index into a layout.
func indexIn(t testing.TB, dir string, entries ...v1.Descriptor) v1.Descriptor {
	t.Helper()
	data, err := json.Marshal(v1.IndexManifest{SchemaVersion: 2, MediaType: types.OCIImageIndex, Manifests: entries})
	if err != nil {
		t.Fatal(err)
	}
	d := content.Blob{MediaType: string(types.OCIImageIndex), Data: data}.Descriptor()
	replace(t, blobFile(dir, d.Digest), data)
	replace(t, filepath.Join(dir, "index.json"), data)
	return d
}

// Indexes of indexes are followed to a bounded depth and number.
func TestIndexesAreBounded(t *testing.T) {
	img := imageFor(t, "amd64", layerOf(t, "a", "one"), layerOf(t, "b", "two"))
	dir := layoutWith(t, img)
	last := v1.Descriptor{MediaType: types.OCIManifestSchema1, Digest: digestOf(t, img), Size: 1}
	d := last
	for range maxLevels + 1 { // of which index.json is the last
		d = indexIn(t, dir, d)
		if _, err := flatten("oci:" + dir); err != nil {
			t.Fatal(err)
		}
	}
	indexIn(t, dir, d)
	if _, err := flatten("oci:" + dir); err == nil || !strings.Contains(err.Error(), "too many") {
		t.Errorf("deep: %v", err)
	}
	indexIn(t, dir, append(slices.Repeat([]v1.Descriptor{indexIn(t, dir)}, maxConsidered), last)...)
	if _, err := flatten("oci:" + dir); err == nil || !strings.Contains(err.Error(), "too many") {
		t.Errorf("wide: %v", err)
	}
}

func TestDockerRefuses(t *testing.T) {
	const config = `[{"Config": "c.json", "Layers": []}]`
	big := strings.Repeat(" ", maxDocument+1)
	for name, files := range map[string][]string{
		"nothing":               {},
		"no manifest":           {"c.json", "{}"},
		"no configuration":      {"manifest.json", config},
		"a large configuration": {"manifest.json", config, "c.json", big},
		"a large manifest":      {"manifest.json", config + big, "c.json", "{}"},
		"two manifests":         {"manifest.json", config, "c.json", "{}", "manifest.json", config},
		"two images":            {"manifest.json", `[{"Config": "c.json"}, {"Config": "c.json"}]`, "c.json", "{}"},
		"a broken manifest":     {"manifest.json", "{", "c.json", "{}"},
		"another platform":      {"manifest.json", config, "c.json", `{"os":"linux","architecture":"arm64","rootfs":{"type":"layers","diff_ids":[]}}`},
	} {
		var buf bytes.Buffer
		w := tar.NewWriter(&buf)
		for i := 0; i < len(files); i += 2 {
			if err := w.WriteHeader(&tar.Header{Name: files[i], Typeflag: tar.TypeReg, Size: int64(len(files[i+1]))}); err != nil {
				t.Fatal(err)
			}
			if _, err := io.WriteString(w, files[i+1]); err != nil {
				t.Fatal(err)
			}
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		file := filepath.Join(t.TempDir(), "docker.tar")
		replace(t, file, buf.Bytes())
		if _, err := flatten("docker-archive:" + file); err == nil {
			t.Errorf("%s is accepted", name)
		}
	}
}

// FuzzOpen gives any bytes as either kind of archive: an error or an image,
// never more.
func FuzzOpen(f *testing.F) {
	var buf bytes.Buffer
	w := tar.NewWriter(&buf)
	for name, text := range map[string]string{"index.json": `{"manifests":[]}`, "manifest.json": `[{"Config":"c.json"}]`, "c.json": "{}"} {
		if err := w.WriteHeader(&tar.Header{Name: name, Typeflag: tar.TypeReg, Size: int64(len(text))}); err != nil {
			f.Fatal(err)
		}
		if _, err := io.WriteString(w, text); err != nil {
			f.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		f.Fatal(err)
	}
	f.Add(buf.Bytes())
	f.Add([]byte("{}"))
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, data []byte) {
		file := filepath.Join(dir, "archive.tar")
		replace(t, file, data)
		for _, kind := range []string{"oci-archive:", "docker-archive:"} {
			if tree, err := flatten(kind + file); err == nil && tree == nil {
				t.Errorf("%s: no error and no tree", kind)
			}
		}
	})
}

func TestCancelledFlatten(t *testing.T) {
	dir := layoutWith(t, imageFor(t, "amd64", layerOf(t, "a", "one")))
	img, err := Open(context.Background(), "oci:"+dir, same)
	if err != nil {
		t.Fatal(err)
	}
	defer img.Close()
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := img.Flatten(ctx, nil, rootfs.DefaultLimits, func(_, _ int64) {}); !errors.Is(err, context.Canceled) {
		t.Errorf("flatten after the end: %v", err)
	}
}
