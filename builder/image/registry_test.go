package image

import (
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// liar is a registry that answers some requests with other bytes.
func liar(t *testing.T, lie func(w http.ResponseWriter, r *http.Request) bool) (host string) {
	t.Helper()
	honest := registry.New(registry.Logger(log.New(io.Discard, "", 0)))
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if lie == nil || !lie(w, r) {
			honest.ServeHTTP(w, r)
		}
	}))
	t.Cleanup(s.Close)
	return strings.TrimPrefix(s.URL, "http://")
}

func push(t *testing.T, ref string, img v1.Image) {
	t.Helper()
	r, err := name.ParseReference(ref)
	if err != nil {
		t.Fatal(err)
	}
	if err := remote.Write(r, img); err != nil {
		t.Fatal(err)
	}
}

func TestRegistry(t *testing.T) {
	img := imageFor(t, "amd64", layerOf(t, "a", "one"), layerOf(t, "b", "two"))
	host := liar(t, nil)
	push(t, host+"/svc:1", img)
	pinned := fmt.Sprintf("%s/svc@%s", host, digestOf(t, img))
	if _, err := flatten(pinned); err != nil {
		t.Error(err)
	}
	_, err := flatten(host + "/svc:1")
	var unpinned *UnpinnedError
	if !errors.As(err, &unpinned) || unpinned.Pinned != pinned {
		t.Errorf("a tag gives %v, want the pinned reference %s", err, pinned)
	}
	if _, err := flatten(host + "/svc@sha256:" + strings.Repeat("0", 64)); err == nil {
		t.Error("an image that is not there is opened")
	}
}

func TestRegistryLies(t *testing.T) {
	img := imageFor(t, "amd64", layerOf(t, "a", "one"))
	other, err := imageFor(t, "amd64", layerOf(t, "a", "other")).RawManifest()
	if err != nil {
		t.Fatal(err)
	}
	layers, err := img.Layers()
	if err != nil {
		t.Fatal(err)
	}
	m, err := img.Manifest()
	if err != nil {
		t.Fatal(err)
	}
	for name, lie := range map[string]func(w http.ResponseWriter, r *http.Request) bool{
		"another manifest": func(w http.ResponseWriter, r *http.Request) bool {
			if !strings.Contains(r.URL.Path, "/manifests/sha256:") {
				return false
			}
			w.Header().Set("Content-Type", string(types.OCIManifestSchema1))
			w.Write(other)
			return true
		},
		"another layer":         blobLie(digestOf(t, layers[0])),
		"another configuration": blobLie(m.Config.Digest),
	} {
		lying := false
		host := liar(t, func(w http.ResponseWriter, r *http.Request) bool { return lying && lie(w, r) })
		push(t, host+"/svc:1", img)
		lying = true
		if _, err := flatten(fmt.Sprintf("%s/svc@%s", host, digestOf(t, img))); err == nil {
			t.Errorf("%s is accepted", name)
		}
	}
}

func blobLie(h v1.Hash) func(w http.ResponseWriter, r *http.Request) bool {
	return func(w http.ResponseWriter, r *http.Request) bool {
		if !strings.HasSuffix(r.URL.Path, "/blobs/"+h.String()) {
			return false
		}
		io.WriteString(w, "{}")
		return true
	}
}
