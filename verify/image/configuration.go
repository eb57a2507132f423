package image

import (
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/immure-dev/immure/attest/content"
	"github.com/immure-dev/immure/harden"
	"github.com/immure-dev/immure/harden/grant"
)

// configuration reads an image's configuration, of which there is no second
// reading: engines in other languages know the members by their exact names.
func configuration(img v1.Image) (*v1.ConfigFile, error) {
	raw, err := img.RawConfigFile()
	if err != nil {
		return nil, fmt.Errorf("read image configuration: %w", err)
	}
	if err := content.Unambiguous(raw, members(reflect.TypeFor[v1.ConfigFile]())...); err != nil {
		return nil, fmt.Errorf("read image configuration: %w", err)
	}
	var outer struct {
		Config json.RawMessage `json:"config"`
	}
	if err := json.Unmarshal(raw, &outer); err != nil {
		return nil, fmt.Errorf("read image configuration: %w", err)
	}
	if err := content.Unambiguous(outer.Config, members(reflect.TypeFor[v1.Config]())...); err != nil {
		return nil, fmt.Errorf("read image configuration: config: %w", err)
	}
	config, err := img.ConfigFile()
	if err != nil {
		return nil, fmt.Errorf("read image configuration: %w", err)
	}
	return config, nil
}

// members are the names in JSON of a struct's fields.
func members(t reflect.Type) []string {
	var names []string
	for _, f := range reflect.VisibleFields(t) {
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		names = append(names, name)
	}
	return names
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
