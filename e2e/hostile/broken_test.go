//go:build e2e

package hostile_test

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/immure-dev/immure/attest/tree"
	"github.com/immure-dev/immure/internal/badregistry"
	"github.com/immure-dev/immure/internal/oci/content"
)

// mangled are what may come in place of a document: pieces of it, and what
// breaks readers.
func mangled(document []byte) map[string][]byte {
	document = bytes.TrimSpace(document)
	n := len(document)
	m := map[string][]byte{
		"nothing":              {},
		"one byte":             document[:1],
		"a quarter":            document[:n/4],
		"half":                 document[:n/2],
		"all but one":          document[:n-1],
		"a bit at the start":   flip(document, 0),
		"twice":                append(bytes.Clone(document), document...),
		"NULs":                 make([]byte, 64),
		"0xff":                 bytes.Repeat([]byte{0xff}, 64),
		"null":                 []byte("null"),
		"a number":             []byte("1e999999999"),
		"a deep list":          []byte(strings.Repeat("[", 100_000)),
		"a deep object":        []byte(strings.Repeat(`{"a":`, 100_000)),
		"many members":         []byte("{" + strings.Repeat(`"a":1,`, 50_000) + `"b":1}`),
		"an empty object":      []byte("{}"),
		"an object of nulls":   []byte(`{"schemaVersion":null,"config":null,"layers":null,"process":null,"root":null,"mediaType":null}`),
		"a deep YAML":          []byte(strings.Repeat("- ", 20_000) + "a"),
		"a YAML of many words": []byte("a: &a [b,b,b,b,b,b,b,b]\nc: &c [*a,*a,*a,*a,*a,*a,*a,*a]\nd: &d [*c,*c,*c,*c,*c,*c,*c,*c]\ne: &e [*d,*d,*d,*d,*d,*d,*d,*d]\nf: [*e,*e,*e,*e,*e,*e,*e,*e]\n"),
	}
	return m
}

// flip changes one bit.
func flip(data []byte, at int) []byte {
	data = bytes.Clone(data)
	data[at] ^= 1
	return data
}

// notAllowed wants status 1 or 2 with a reason.
func (r result) notAllowed(tb testing.TB) {
	tb.Helper()
	if r.status != 1 {
		r.refused(tb, 2, "immure: ")
		return
	}
	r.refused(tb, 1, "immure: ")
}

// each tries every mangled form of a document.
func each(t *testing.T, what string, document []byte, try func(t *testing.T, data []byte)) {
	t.Helper()
	for name, data := range mangled(document) {
		t.Run(what+"/"+name, func(t *testing.T) {
			t.Parallel()
			try(t, data)
		})
	}
}

// Whatever file a person names, what cannot be read ends with a reason.
func TestMangledFiles(t *testing.T) {
	f := service(t)
	file := func(t *testing.T, data []byte) string {
		path := filepath.Join(t.TempDir(), "file")
		must(t, os.WriteFile(path, data, 0o600))
		return path
	}
	read := func(path string) []byte {
		data, err := os.ReadFile(path)
		must(t, err)
		return data
	}
	config := immure(t, "render", "--to", "oci", "--key", f.public, f.ref())
	each(t, "config", []byte(config.stdout), func(t *testing.T, data []byte) {
		f.verify(t, f.ref(), "--config", file(t, data)).refused(t, 2)
	})
	each(t, "public key", read(f.public), func(t *testing.T, data []byte) {
		immure(t, "verify", f.ref(), "--key", file(t, data)).refused(t, 2)
	})
	each(t, "private key", read(filepath.Join(scratch, "trusted.key")), func(t *testing.T, data []byte) {
		dir := filepath.Join(t.TempDir(), "image")
		immure(t, "build", "-f", "testdata/service/immure.yaml", "--key", file(t, data), "-o", dir).refused(t, 2)
		absent(t, dir)
	})
	each(t, "service file", read("testdata/service/immure.yaml"), func(t *testing.T, data []byte) {
		dir := filepath.Join(t.TempDir(), "image")
		immure(t, "build", "-f", file(t, data), "-o", dir).refused(t, 2)
		absent(t, dir)
	})
	boundary := immure(t, "render", "--to", "boundary", "--key", f.public, f.ref())
	each(t, "boundary", []byte(boundary.stdout), func(t *testing.T, data []byte) {
		immure(t, "render", "--to", "oci", file(t, data)).refused(t, 2)
		immure(t, "diff", file(t, []byte(boundary.stdout)), file(t, data)).refused(t, 2)
	})
	each(t, "archive", read(filepath.Join(f.dir, "index.json")), func(t *testing.T, data []byte) {
		for _, form := range []string{"oci-archive:", "docker-archive:"} {
			f.verify(t, form+file(t, data)).refused(t, 2)
		}
	})
}

func absent(tb testing.TB, path string) {
	tb.Helper()
	if _, err := os.Lstat(path); err == nil {
		tb.Errorf("%s was made", path)
	}
}

// A layout in which everything but the mangled document is right, digests
// included.
func TestMangledLayouts(t *testing.T) {
	f := service(t)
	must1 := func(data []byte, err error) []byte { must(t, err); return data }
	each(t, "index", must1(os.ReadFile(filepath.Join(f.dir, "index.json"))), func(t *testing.T, data []byte) {
		f.verify(t, rawLayout(t, data)).refused(t, 2)
	})
	each(t, "manifest", f.raw, func(t *testing.T, data []byte) {
		f.verify(t, rawLayout(t, nil, data)).refused(t, 2)
	})
	each(t, "configuration", must1(f.img.RawConfigFile()), func(t *testing.T, data []byte) {
		var m v1.Manifest
		must(t, json.Unmarshal(f.raw, &m))
		m.Config = descriptor(data, m.Config.MediaType)
		raw, err := json.Marshal(m)
		must(t, err)
		f.verify(t, rawLayout(t, nil, f.dir, raw, data)).notAllowed(t)
	})
	each(t, "bundle", signed(t, canonical(t, f.statement(t, f.unsealed(t))), f.key), func(t *testing.T, data []byte) {
		offer(t, f.unsealed(t), []content.Artifact{beside(t, f.unsealed(t), data)}, func(t *testing.T, ref string) {
			f.verify(t, ref).refused(t, 1, "signature")
		})
	})
}

func descriptor(data []byte, mediaType types.MediaType) v1.Descriptor {
	return content.Blob{MediaType: string(mediaType), Data: data}.Descriptor()
}

// rawLayout writes a layout of blobs, the first of which is the one manifest
// unless there is an index. A text is a layout whose blobs are taken too.
func rawLayout(tb testing.TB, index []byte, blobs ...any) string {
	tb.Helper()
	dir := tb.TempDir()
	must(tb, os.WriteFile(filepath.Join(dir, "oci-layout"), []byte(`{"imageLayoutVersion":"1.0.0"}`), 0o644))
	must(tb, os.MkdirAll(filepath.Join(dir, "blobs/sha256"), 0o755))
	for _, b := range blobs {
		switch b := b.(type) {
		case []byte:
			d := descriptor(b, types.OCIManifestSchema1)
			must(tb, os.WriteFile(filepath.Join(dir, "blobs/sha256", d.Digest.Hex), b, 0o644))
			if index == nil {
				data, err := json.Marshal(v1.IndexManifest{SchemaVersion: 2, MediaType: types.OCIImageIndex, Manifests: []v1.Descriptor{d}})
				must(tb, err)
				index = data
			}
		case string:
			must(tb, os.RemoveAll(filepath.Join(dir, "blobs")))
			must(tb, os.CopyFS(filepath.Join(dir, "blobs"), os.DirFS(filepath.Join(b, "blobs"))))
		}
	}
	must(tb, os.WriteFile(filepath.Join(dir, "index.json"), index, 0o644))
	return "oci:" + dir
}

// What the registry answers cannot be read.
func TestMangledAnswers(t *testing.T) {
	f := service(t)
	for _, part := range []string{"/manifests/", "/referrers/", "/blobs/", "/v2/"} {
		each(t, strings.Trim(part, "/"), f.raw, func(t *testing.T, data []byte) {
			r, addr := badregistry.Start(t)
			ref := push(t, addr+"/hostile:latest", f.img)
			r.Lie(part, func(w http.ResponseWriter, req *http.Request) {
				if part == "/v2/" && req.URL.Path == part {
					w.WriteHeader(http.StatusOK) // the greeting says nothing
					return
				}
				badregistry.Bytes(string(types.OCIManifestSchema1), data)(w, req)
			})
			f.verify(t, ref).notAllowed(t)
		})
	}
}

// Layers that are cut short or are something else, in an image whose manifest a
// trusted key signed: they are read to the end.
func TestMangledLayers(t *testing.T) {
	f := service(t)
	layers, err := f.img.Layers()
	must(t, err)
	files := flatten(t, f.img)
	r, err := layer(t, files).Uncompressed()
	must(t, err)
	defer r.Close()
	var plain, packed bytes.Buffer
	_, err = plain.ReadFrom(r)
	must(t, err)
	z := gzip.NewWriter(&packed)
	_, err = z.Write(plain.Bytes())
	must(t, err)
	must(t, z.Close())
	try := func(t *testing.T, data []byte, mediaType types.MediaType) {
		img := assemble(t, f.img, nil, append(layers[:len(layers):len(layers)], static.NewLayer(data, mediaType))...)
		offer(t, img, []content.Artifact{f.about(t, img, f.predicate)}, func(t *testing.T, ref string) {
			f.verify(t, ref, "--files").notAllowed(t)
		})
	}
	for name, n := range map[string]int{"one byte": 1, "a header and a half": 700, "half": plain.Len() / 2, "an eighth": plain.Len() / 8} {
		t.Run("archive/"+name, func(t *testing.T) { t.Parallel(); try(t, plain.Bytes()[:n], types.OCIUncompressedLayer) })
	}
	for name, n := range map[string]int{"nothing": 0, "one byte": 1, "a header": 10, "half": packed.Len() / 2, "no end": packed.Len() - 1} {
		t.Run("gzip/"+name, func(t *testing.T) { t.Parallel(); try(t, packed.Bytes()[:n], types.OCILayer) })
	}
	for name, data := range map[string][]byte{
		"a bit of the sum":        flip(packed.Bytes(), packed.Len()-8),
		"a bit of the length":     flip(packed.Bytes(), packed.Len()-1),
		"bytes after it":          append(bytes.Clone(packed.Bytes()), "more"...),
		"a second archive":        append(bytes.Clone(packed.Bytes()), gzipped(t, "more")...),
		"plain where it says not": plain.Bytes(),
	} {
		t.Run("gzip/"+name, func(t *testing.T) { t.Parallel(); try(t, data, types.OCILayer) })
	}
	for _, mediaType := range []types.MediaType{types.OCILayerZStd, types.OCIUncompressedLayer, types.OCIManifestSchema1, "", "text/plain", types.OCIRestrictedLayer} {
		t.Run(fmt.Sprintf("gzip as %q", mediaType), func(t *testing.T) { t.Parallel(); try(t, packed.Bytes(), mediaType) })
	}
}

func gzipped(tb testing.TB, text string) []byte {
	tb.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	_, err := z.Write([]byte(text))
	must(tb, err)
	must(tb, z.Close())
	return b.Bytes()
}

// What is baked into the image is broken, though the author sealed and signed it.
func TestMangledInside(t *testing.T) {
	f := service(t)
	files := flatten(t, f.img)
	for _, path := range []string{"/.immure/boundary.json", "/.immure/seccomp.json", "/.immure/seccomp-envelope.json"} {
		each(t, strings.TrimPrefix(path, "/.immure/"), bytesOf(t, files, path), func(t *testing.T, data []byte) {
			files := flatten(t, f.img)
			write(t, files, path, data)
			f.reseal(t, files, f.predicate)
			img := f.repack(t, files)
			f.verify(t, inRegistry(t, img, f.about(t, img, f.predicate))).refused(t, 1, "declarations")
			immure(t, "inspect", inLayout(t, img))
		})
	}
	each(t, "seal", bytesOf(t, files, tree.SealPath), func(t *testing.T, data []byte) {
		files := flatten(t, f.img)
		write(t, files, tree.SealPath, data)
		ref := inLayout(t, f.repack(t, files))
		f.verify(t, ref).notAllowed(t)
		immure(t, "inspect", ref)
	})
	each(t, "draft", canonical(t, f.predicate), func(t *testing.T, data []byte) {
		const draft = "application/vnd.immure.boundary-draft.v1+json"
		img := f.unsealed(t)
		d := beside(t, img, nil)
		a := content.Artifact{Type: draft, Layers: []content.Blob{{MediaType: draft, Data: data}}, Subject: d.Subject}
		dir := filepath.Join(t.TempDir(), "sealed")
		immure(t, "seal", inLayout(t, img, a), "--key", filepath.Join(scratch, "trusted.key"), "-o", dir).notAllowed(t)
		absent(t, dir)
	})
}
