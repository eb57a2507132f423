package layout_test

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"golang.org/x/sys/unix"

	ggcr "github.com/google/go-containerregistry/pkg/v1/layout"

	"github.com/immure-dev/immure/internal/oci/content"
	"github.com/immure-dev/immure/internal/oci/layout"
)

// index rewrites index.json.
func (b *bed) index(change func(m *v1.IndexManifest)) {
	b.Helper()
	path := filepath.Join(b.dir, "index.json")
	data, err := os.ReadFile(path)
	b.must(err)
	var m v1.IndexManifest
	b.must(json.Unmarshal(data, &m))
	change(&m)
	data, err = json.Marshal(m)
	b.must(err)
	b.must(os.WriteFile(path, data, 0o644))
}

func (b *bed) blob(h v1.Hash) string { return filepath.Join(b.dir, "blobs/sha256", h.Hex) }

func TestHostileLayouts(t *testing.T) {
	for _, tc := range []struct {
		name string
		harm func(b *bed)
		want string
	}{
		{"no marker", func(b *bed) { b.must(os.Remove(filepath.Join(b.dir, "oci-layout"))) }, "no OCI layout"},
		{"another version", func(b *bed) { b.write("oci-layout", `{"imageLayoutVersion":"2.0.0"}`) }, "want 1.0.0"},
		{"no index", func(b *bed) { b.must(os.Remove(filepath.Join(b.dir, "index.json"))) }, "index.json"},
		{"index of 5 MiB", func(b *bed) { b.write("index.json", strings.Repeat(" ", 5<<20)) }, "more than 4194304 bytes"},
		{"index that is a manifest too", func(b *bed) { b.write("index.json", `{"schemaVersion":2,"manifests":[],"layers":[]}`) }, "at once"},
		{"index deep within itself", func(b *bed) { b.write("index.json", strings.Repeat("[", 1<<20)) }, ""},
		{"index that is a pipe", func(b *bed) {
			b.must(os.Remove(filepath.Join(b.dir, "index.json")))
			b.must(unix.Mkfifo(filepath.Join(b.dir, "index.json"), 0o644))
		}, "not a regular file"},
		{"index that is a link outwards", func(b *bed) {
			b.must(os.Rename(filepath.Join(b.dir, "index.json"), b.dir+".json"))
			b.must(os.Symlink(b.dir+".json", filepath.Join(b.dir, "index.json")))
		}, "escapes"},
		{"blobs that are a link outwards", func(b *bed) {
			b.must(os.Rename(filepath.Join(b.dir, "blobs"), b.dir+".blobs"))
			b.must(os.Symlink("../image.blobs", filepath.Join(b.dir, "blobs")))
		}, "escapes"},
		{"a blob that is a link outwards", func(b *bed) {
			b.must(os.Rename(b.blob(b.subject.Digest), b.dir+".blob"))
			b.must(os.Symlink(b.dir+".blob", b.blob(b.subject.Digest)))
		}, "escapes"},
		{"a blob that is a directory", func(b *bed) {
			b.must(os.Remove(b.blob(b.subject.Digest)))
			b.must(os.Mkdir(b.blob(b.subject.Digest), 0o755))
		}, "not a regular file"},
		{"the manifest is gone", func(b *bed) { b.must(os.Remove(b.blob(b.subject.Digest))) }, "no such file"},
		{"the manifest changed", func(b *bed) { b.flip(b.blob(b.subject.Digest)) }, "other bytes"},
		{"a layer changed", func(b *bed) {
			layers, err := b.image.Layers()
			b.must(err)
			h, err := layers[0].Digest()
			b.must(err)
			b.flip(b.blob(h))
		}, "other bytes"},
		{"a note changed", func(b *bed) { b.flip(b.blob(b.note(1).Layers[0].Descriptor().Digest)) }, "other bytes"},
		{"two images", func(b *bed) {
			other, err := random.Image(10, 1)
			b.must(err)
			p, err := ggcr.FromPath(b.dir)
			b.must(err)
			b.must(p.AppendImage(other))
		}, "index of 2 manifests"},
		{"no image", func(b *bed) { b.index(func(m *v1.IndexManifest) { m.Manifests = m.Manifests[1:] }) }, "has no image"},
		{"a size of petabytes", func(b *bed) {
			raw, err := b.note(1).RawManifest()
			b.must(err)
			part := []byte(`"layers":[{"mediaType":"` + noteType + `","size":`)
			raw = bytes.Replace(raw, part, append(part, "99999999999"...), 1)
			d := content.Blob{MediaType: string(types.OCIManifestSchema1), Data: raw}.Descriptor()
			b.write("blobs/sha256/"+d.Digest.Hex, string(raw))
			b.index(func(m *v1.IndexManifest) { m.Manifests[1] = d })
		}, "are more than 100"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			b := newBed(t)
			tc.harm(b)
			notes, err := read(t.Context(), b.dir)
			if err == nil {
				t.Fatalf("read, with %q", notes)
			}
			if !strings.Contains(err.Error(), tc.want) {
				t.Errorf("got %q, want %q in it", err, tc.want)
			}
		})
	}
}

func (b *bed) write(name, data string) {
	b.Helper()
	b.must(os.WriteFile(filepath.Join(b.dir, name), []byte(data), 0o644))
}

func (b *bed) flip(path string) {
	b.Helper()
	data, err := os.ReadFile(path)
	b.must(err)
	data[len(data)/2] ^= 1
	b.must(os.WriteFile(path, data, 0o644))
}

// Attaching to a stranger's layout writes nothing outside of it.
func TestAttachStaysInside(t *testing.T) {
	b := newBed(t)
	outside := t.TempDir()
	b.must(os.Rename(filepath.Join(b.dir, "blobs/sha256"), filepath.Join(outside, "sha256")))
	b.must(os.Symlink(filepath.Join(outside, "sha256"), filepath.Join(b.dir, "blobs/sha256")))
	before, err := os.ReadDir(filepath.Join(outside, "sha256"))
	b.must(err)
	l, err := layout.Open(b.dir)
	b.must(err)
	defer l.Close()
	if err := l.Attach(t.Context(), b.note(2)); err == nil {
		t.Error("attached")
	}
	if after, err := os.ReadDir(filepath.Join(outside, "sha256")); err != nil || len(after) != len(before) {
		t.Errorf("%d files outside, before %d (%v)", len(after), len(before), err)
	}
}

// FuzzIndex opens a layout whose index.json is anything.
func FuzzIndex(f *testing.F) {
	f.Add([]byte(`{"schemaVersion":2,"manifests":[]}`))
	f.Add([]byte(`{"schemaVersion":2,"manifests":[{"mediaType":"application/vnd.oci.image.manifest.v1+json","size":2,"digest":"sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"}]}`))
	f.Add([]byte(`{"schemaVersion":2,"manifests":[{"mediaType":"application/vnd.oci.image.manifest.v1+json","size":2,"digest":"sha256:../../../../etc/passwd"}]}`))
	dir := f.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "oci-layout"), []byte(`{"imageLayoutVersion":"1.0.0"}`), 0o644); err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		if err := os.WriteFile(filepath.Join(dir, "index.json"), data, 0o644); err != nil {
			t.Fatal(err)
		}
		if _, err := read(t.Context(), dir); err == nil {
			t.Error("read an image that is not there")
		}
	})
}
