package evidence_test

import (
	"strings"
	"testing"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/immure-dev/immure/attest/evidence"
)

var subject = v1.Descriptor{
	MediaType: types.OCIManifestSchema1, Size: 7,
	Digest:      v1.Hash{Algorithm: "sha256", Hex: strings.Repeat("ab", 32)},
	Annotations: map[string]string{"not": "taken along"},
}

// The bytes of a bundle's manifest depend on nothing but its arguments.
func TestBundleManifest(t *testing.T) {
	const want = `{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json",` +
		`"config":{"mediaType":"application/vnd.oci.empty.v1+json","size":2,"digest":"sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"},` +
		`"layers":[{"mediaType":"application/vnd.dev.sigstore.bundle.v0.3+json","size":2,"digest":"sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"}],` +
		`"annotations":{"dev.sigstore.bundle.content":"dsse-envelope","dev.sigstore.bundle.predicateType":"https://example.com/p/v1","org.opencontainers.image.created":"1970-01-01T00:00:01Z"},` +
		`"subject":{"mediaType":"application/vnd.oci.image.manifest.v1+json","size":7,"digest":"sha256:abababababababababababababababababababababababababababababababab"},` +
		`"artifactType":"application/vnd.dev.sigstore.bundle.v0.3+json"}`
	created := time.Unix(1, 0).In(time.FixedZone("elsewhere", 3600))
	got, err := evidence.Bundle([]byte("{}"), "https://example.com/p/v1", subject, created).RawManifest()
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}
