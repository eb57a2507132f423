package bake

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/immure-dev/immure/harden"
)

// Labels that an image declares. A label grants nothing: only the seal does.
const (
	LabelService  = "dev.immure.service"
	LabelEpoch    = "dev.immure.epoch"
	LabelBoundary = "dev.immure.boundary" // digest of boundary.json
	LabelRootfs   = "dev.immure.rootfs"   // "readOnly": what the image is meant for

	// Source: Podman, docs/source/markdown/podman-run.1.md.
	labelSeccomp      = "io.containers.seccomp.profile"
	labelCapabilities = "io.containers.capabilities"
)

// A Config is what an image's configuration says.
type Config struct {
	Service  string
	Epoch    int64
	Args     []string
	Env      []string // NAME=value
	Cwd      string
	UID, GID uint32
	Created  time.Time // in whole seconds
	Pair     harden.Pair
	Files    *Files
}

func (c Config) labels() map[string]string {
	labels := map[string]string{
		LabelService:  c.Service,
		LabelEpoch:    strconv.FormatInt(c.Epoch, 10),
		LabelBoundary: c.Files.BoundaryDigest,
		LabelRootfs:   string(c.Pair.Service.Rootfs),
	}
	if c.Files.Seccomp != nil {
		labels[labelSeccomp] = string(c.Files.Seccomp)
	}
	var caps []string
	for _, n := range c.Pair.Service.Capabilities.Effective.Members() {
		caps = append(caps, strings.TrimPrefix(string(n), "CAP_"))
	}
	if len(caps) > 0 {
		labels[labelCapabilities] = strings.Join(caps, ",")
	}
	return labels
}

func (c Config) ports() map[string]struct{} {
	ports := make(map[string]struct{})
	for _, p := range c.Pair.Service.Network.Listen.Members() {
		ports[string(p)] = struct{}{}
	}
	return ports
}

// Image puts layers and configuration together as an OCI image for
// linux/amd64. The configuration has an entry point and no command, so that
// arguments on a command line add to it instead of replacing it.
func (c Config) Image(layers ...*Layer) (v1.Image, error) {
	base := mutate.ConfigMediaType(mutate.MediaType(empty.Image, types.OCIManifestSchema1), types.OCIConfigJSON)
	config := &v1.ConfigFile{
		Architecture: "amd64",
		OS:           "linux",
		Created:      v1.Time{Time: c.Created},
		RootFS:       v1.RootFS{Type: "layers"},
		Config: v1.Config{
			User:         fmt.Sprintf("%d:%d", c.UID, c.GID),
			Entrypoint:   c.Args,
			WorkingDir:   c.Cwd,
			Env:          c.Env,
			Labels:       c.labels(),
			ExposedPorts: c.ports(),
		},
	}
	base, err := mutate.ConfigFile(base, config)
	if err != nil {
		return nil, fmt.Errorf("bake image: %w", err)
	}
	var add []mutate.Addendum
	for i, l := range layers {
		add = append(add, mutate.Addendum{Layer: l, MediaType: types.OCILayer, History: v1.History{
			Created: v1.Time{Time: c.Created}, CreatedBy: "immure build", Comment: comment(i),
		}})
	}
	img, err := mutate.Append(base, add...)
	if err != nil {
		return nil, fmt.Errorf("bake image: %w", err)
	}
	return img, nil
}

// comment says what the layers hold, in their order.
func comment(layer int) string {
	return []string{"the service", "its boundary", "the seal"}[min(layer, 2)]
}
