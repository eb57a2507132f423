//go:build e2e

package hostile_test

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/immure-dev/immure/internal/badregistry"
)

// answers are what a registry may give for bytes that it was asked for by
// their digest.
func answers(tb testing.TB, truth []byte) map[string]http.HandlerFunc {
	tb.Helper()
	as := func(data []byte) http.HandlerFunc { return badregistry.Bytes(string(types.OCIManifestSchema1), data) }
	h, _, err := v1.SHA256(bytes.NewReader(truth))
	must(tb, err)
	return map[string]http.HandlerFunc{
		"a bit changed":       as(flip(truth, len(truth)/2)),
		"the first bit":       as(flip(truth, 0)),
		"cut short":           as(truth[:len(truth)-1]),
		"one byte more":       as(append(bytes.Clone(truth), '\n')),
		"nothing":             as(nil),
		"the answer \"none\"": badregistry.Status(http.StatusNotFound),
		"an error":            badregistry.Status(http.StatusInternalServerError),
		"a page for people":   badregistry.Bytes("text/html", []byte("<html>log in first</html>")),
		"a bomb":              badregistry.Bomb(string(types.OCIManifestSchema1)),
		"a redirect in ring":  func(w http.ResponseWriter, req *http.Request) { http.Redirect(w, req, req.URL.Path, http.StatusFound) },
		"other bytes under the right name": func(w http.ResponseWriter, req *http.Request) {
			w.Header().Set("Docker-Content-Digest", h.String())
			as(flip(truth, len(truth)/2))(w, req)
		},
		"a promise of more": func(w http.ResponseWriter, req *http.Request) {
			w.Header().Set("Content-Length", "1000000")
			as(truth)(w, req)
		},
	}
}

// A registry answers other bytes than those of the digest asked for, for each
// thing that verifying asks for. The reference is by digest, and by tag.
func TestRegistryAnswersOtherBytes(t *testing.T) {
	f := service(t)
	var m v1.Manifest
	must(t, json.Unmarshal(f.raw, &m))
	statement := beside(t, f.img, signed(t, canonical(t, f.statement(t, f.img)), f.key))
	rawStatement, err := statement.RawManifest()
	must(t, err)
	blob := func(d v1.Descriptor) []byte {
		l, err := f.img.LayerByDigest(d.Digest)
		must(t, err)
		r, err := l.Compressed()
		must(t, err)
		defer r.Close()
		data, err := io.ReadAll(r)
		must(t, err)
		return data
	}
	config, err := f.img.RawConfigFile()
	must(t, err)
	parts := map[string][]byte{
		"the manifest":             f.raw,
		"the configuration":        config,
		"the service's layer":      blob(m.Layers[0]),
		"the layer of the seal":    blob(m.Layers[len(m.Layers)-1]),
		"the statement's manifest": rawStatement,
		"the statement":            statement.Layers[0].Data,
	}
	for part, truth := range parts {
		for name, answer := range answers(t, truth) {
			t.Run(part+"/"+name, func(t *testing.T) {
				t.Parallel()
				r, addr := badregistry.Start(t)
				ref := push(t, addr+"/hostile:latest", f.img, statement)
				f.verify(t, ref, "--files").allowed(t)
				h, _, err := v1.SHA256(bytes.NewReader(truth))
				must(t, err)
				image, _, err := v1.SHA256(bytes.NewReader(f.raw))
				must(t, err)
				r.Lie("/"+h.String(), answer)
				if part == "the manifest" {
					r.Lie("/referrers/", http.HandlerFunc(badregistry.Status(http.StatusNotFound)))
				}
				f.verify(t, ref, "--files").notAllowed(t)
				f.verify(t, strings.TrimSuffix(ref, ":latest")+"@"+image.String(), "--files").notAllowed(t)
			})
		}
	}
}

// The tag names something else once it was looked at: what was judged first is
// what is read.
func TestTagMoves(t *testing.T) {
	f := service(t)
	r, addr := badregistry.Start(t)
	ref := push(t, addr+"/hostile:latest", f.img)
	files := flatten(t, f.img)
	write(t, files, "/usr/bin/more", []byte("#"))
	evil := push(t, addr+"/hostile:evil", f.repack(t, files))
	f.verify(t, evil).refused(t, 1, "files: ")
	raw, err := f.repack(t, files).RawManifest()
	must(t, err)
	good := badregistry.Bytes(string(types.OCIManifestSchema1), f.raw)
	bad := badregistry.Bytes(string(types.OCIManifestSchema1), raw)
	asked := 0
	r.Lie("/manifests/latest", func(w http.ResponseWriter, req *http.Request) {
		if asked++; asked == 1 {
			good(w, req)
			return
		}
		bad(w, req)
	})
	f.verify(t, ref, "--files").allowed(t)
	if asked != 1 {
		t.Errorf("the tag was asked for %d times", asked)
	}
	f.verify(t, ref, "--files").refused(t, 1, "files: ")
}

// Answers that never end are not read for ever.
func TestRegistrySendsWithoutEnd(t *testing.T) {
	f := service(t)
	for _, part := range []string{"/manifests/", "/referrers/", "/blobs/"} {
		t.Run(strings.Trim(part, "/"), func(t *testing.T) {
			t.Parallel()
			r, addr := badregistry.Start(t)
			ref := push(t, addr+"/hostile:latest", f.img)
			r.Lie(part, badregistry.Endless(string(types.OCIImageIndex), func(int) {}))
			f.verify(t, ref).refused(t, 2)
		})
	}
	t.Run("pages", func(t *testing.T) {
		t.Parallel()
		r, addr := badregistry.Start(t)
		ref := push(t, addr+"/hostile:latest", f.img)
		r.Lie("/referrers/", badregistry.Pages(string(types.OCIImageIndex), []byte(`{"schemaVersion":2,"manifests":[]}`)))
		f.verify(t, ref).refused(t, 2, "pages")
	})
}
