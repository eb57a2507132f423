package seccomp

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"

	"github.com/opencontainers/runtime-spec/specs-go"

	"github.com/immure-dev/immure/harden"
)

// Media types of a profile artifact. The layer's is free; JSON says what it is.
//
// Source: Kubernetes enhancement 6061, "OCI Artifact Format".
const (
	ProfileMediaType  = "application/vnd.cncf.seccomp-profile.config.v1+json"
	ManifestMediaType = "application/vnd.oci.image.manifest.v1+json"
	LayerMediaType    = "application/json"
)

// Limits that runtimes set on a profile artifact.
const (
	maxProfileBytes   = 1 << 20
	maxEntriesPerCall = 128
)

// An Artifact is a profile in the form of KEP-6061: one manifest without a
// platform, an empty configuration and one raw layer. Each is content to be
// stored under its own SHA-256.
type Artifact struct {
	Manifest []byte // of type ManifestMediaType
	Config   []byte // of type ProfileMediaType
	Layer    []byte // what [RenderJSON] writes
}

type descriptor struct {
	MediaType string `json:"mediaType"`
	Digest    string `json:"digest"`
	Size      int    `json:"size"`
}

func describe(mediaType string, data []byte) descriptor {
	sum := sha256.Sum256(data)
	return descriptor{mediaType, "sha256:" + hex.EncodeToString(sum[:]), len(data)}
}

// NewArtifact renders a policy as a profile artifact. The same policy gives the
// same bytes.
func NewArtifact(s harden.Syscalls) (Artifact, error) {
	profile, err := RenderJSON(s)
	if err != nil {
		return Artifact{}, err
	}
	a := Artifact{Config: []byte("{}"), Layer: profile}
	a.Manifest, err = json.Marshal(struct {
		SchemaVersion int          `json:"schemaVersion"`
		MediaType     string       `json:"mediaType"`
		ArtifactType  string       `json:"artifactType"`
		Config        descriptor   `json:"config"`
		Layers        []descriptor `json:"layers"`
	}{
		2, ManifestMediaType, ProfileMediaType,
		describe(ProfileMediaType, a.Config),
		[]descriptor{describe(LayerMediaType, a.Layer)},
	})
	if err != nil {
		return Artifact{}, fmt.Errorf("render seccomp artifact: %w", err)
	}
	return a, nil
}

// checkKEP6061 reports what a runtime would refuse in a profile of so many
// bytes: listeners, size, too many entries for one call.
func checkKEP6061(p *specs.LinuxSeccomp, size int) error {
	if size > maxProfileBytes {
		return fmt.Errorf("profile of %d bytes is larger than %d", size, maxProfileBytes)
	}
	if p.ListenerPath != "" || p.ListenerMetadata != "" || p.DefaultAction == specs.ActNotify {
		return fmt.Errorf("a profile with a listener is no KEP-6061 profile")
	}
	entries := make(map[string]int)
	for _, c := range p.Syscalls {
		if c.Action == specs.ActNotify {
			return fmt.Errorf("a profile with a listener is no KEP-6061 profile")
		}
		for _, name := range c.Names {
			if entries[name]++; entries[name] > maxEntriesPerCall {
				return fmt.Errorf("more than %d entries for %s", maxEntriesPerCall, name)
			}
		}
	}
	return nil
}
