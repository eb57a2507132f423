package image

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/immure-dev/immure/internal/badregistry"
)

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
	_, host := badregistry.Start(t)
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
	for name, lie := range map[string]func(r *badregistry.Registry){
		"another manifest": func(r *badregistry.Registry) {
			r.Lie("/manifests/sha256:", badregistry.Bytes(string(types.OCIManifestSchema1), other))
		},
		"another layer": func(r *badregistry.Registry) {
			r.Lie("/blobs/"+digestOf(t, layers[0]).String(), badregistry.Bytes("", []byte("{}")))
		},
		"another configuration": func(r *badregistry.Registry) {
			r.Lie("/blobs/"+m.Config.Digest.String(), badregistry.Bytes("", []byte("{}")))
		},
	} {
		r, host := badregistry.Start(t)
		push(t, host+"/svc:1", img)
		lie(r)
		_, err := flatten(fmt.Sprintf("%s/svc@%s", host, digestOf(t, img)))
		if err == nil || !(strings.Contains(err.Error(), "other bytes") || strings.Contains(err.Error(), "got 2 bytes")) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
