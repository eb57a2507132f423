package image

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/immure-dev/immure/harden"
	"github.com/immure-dev/immure/harden/grant"
	"github.com/immure-dev/immure/internal/strict"
	"github.com/immure-dev/immure/verify"
)

// configuration reads an image's configuration, of which there is no second
// reading: engines in other languages know the members by their exact names.
func configuration(img v1.Image) (*v1.ConfigFile, error) {
	raw, err := img.RawConfigFile()
	if err != nil {
		return nil, fmt.Errorf("read image configuration: %w", err)
	}
	if err := strict.Document(raw, configMembers...); err != nil {
		return nil, fmt.Errorf("read image configuration: %w", err)
	}
	config, err := img.ConfigFile()
	if err != nil {
		return nil, fmt.Errorf("read image configuration: %w", err)
	}
	return config, nil
}

// checkDiffIDs compares what the layers that were read unpack to with what the
// configuration says. Engines take layers that they have unpacked before by
// these digests, and do not look at what the manifest lists.
func (f *files) checkDiffIDs(config *v1.ConfigFile) error {
	const mend = "build the image again: its configuration is of other layers"
	says := config.RootFS.DiffIDs
	if len(says) != f.layers {
		return verify.Refuse("files", fmt.Sprintf("%d layers", f.layers), fmt.Sprintf("%d diff_ids in the configuration", len(says)), mend)
	}
	says = says[len(says)-len(f.diffIDs):]
	for i, found := range f.diffIDs {
		if says[i].String() != found {
			return verify.Refuse("files", "a layer that unpacks to "+found, short(says[i].String())+" of the configuration's diff_ids", mend)
		}
	}
	return nil
}

// configMembers are the members of an image configuration that mean something:
// those of the OCI image specification (config.md) and Docker's beside them.
var configMembers = []string{
	"architecture", "author", "config", "container", "created", "docker_version", "history", "os", "os.features", "os.version",
	"rootfs", "variant",
	"rootfs/diff_ids", "rootfs/type",
	"config/ArgsEscaped", "config/AttachStderr", "config/AttachStdin", "config/AttachStdout", "config/Cmd", "config/Domainname",
	"config/Entrypoint", "config/Env", "config/ExposedPorts", "config/Healthcheck", "config/Hostname", "config/Image",
	"config/Labels", "config/MacAddress", "config/NetworkDisabled", "config/OnBuild", "config/OpenStdin", "config/Shell",
	"config/StdinOnce", "config/StopSignal", "config/Tty", "config/User", "config/Volumes", "config/WorkingDir",
	"config/Healthcheck/Interval", "config/Healthcheck/Retries", "config/Healthcheck/StartPeriod", "config/Healthcheck/Test",
	"config/Healthcheck/Timeout",
}

// offers judges what engines do of themselves for an image that says so: they
// publish its ports (docker run -P), mount writable volumes where it wants
// them, and execute its health check again and again.
func (c *comparison) offers(service harden.Boundary, config v1.Config) {
	for _, p := range slices.Sorted(maps.Keys(config.ExposedPorts)) {
		port := grant.Port(p)
		if !strings.Contains(p, "/") {
			port += "/tcp"
		}
		if port.Check() != nil || !service.Network.Listen.Covers(port) {
			c.refuse("network.listen", "image configuration exposes "+short(p), service.Network.Listen.String())
		}
	}
	for _, at := range slices.Sorted(maps.Keys(config.Volumes)) {
		if !slices.ContainsFunc(service.Mounts.Members(), func(s grant.Slot) bool { return s.At == at && s.Kind == "volume" }) {
			c.refuse("mounts", "image configuration wants a volume at "+short(at), service.Mounts.String())
		}
	}
	if h := config.Healthcheck; h != nil && len(h.Test) > 0 && h.Test[0] != "NONE" {
		c.refuse("exec", "image configuration has a health check", service.Exec.String())
	}
}
