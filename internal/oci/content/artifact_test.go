package content_test

import (
	"testing"

	"github.com/immure-dev/immure/internal/oci/content"
)

// An artifact of another kind, as a profile is kept: its configuration is its
// layer, and no subject is written when there is none.
func TestArtifact(t *testing.T) {
	profile := content.Blob{MediaType: "application/vnd.example.profile+json", Data: []byte(`{"x":1}`)}
	a := content.Artifact{Type: profile.MediaType, Config: profile, Layers: []content.Blob{profile}}
	raw, err := a.RawManifest()
	if err != nil {
		t.Fatal(err)
	}
	m, err := content.ParseManifest(raw)
	if err != nil {
		t.Fatal(err)
	}
	d, err := a.Descriptor()
	if err != nil {
		t.Fatal(err)
	}
	if m.Subject != nil || m.Config.Digest != m.Layers[0].Digest || string(m.Config.MediaType) != profile.MediaType ||
		d.ArtifactType != profile.MediaType || d.Size != int64(len(raw)) {
		t.Errorf("got %s, described as %+v", raw, d)
	}
}
