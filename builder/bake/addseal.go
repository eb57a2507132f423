package bake

import (
	"fmt"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// AddSeal puts a seal's layer on top of an image that was baked without one.
// The result is the image that would have been baked with it.
func AddSeal(img v1.Image, seal *Layer, created time.Time) (v1.Image, error) {
	sealed, err := mutate.Append(img, mutate.Addendum{Layer: seal, MediaType: types.OCILayer, History: v1.History{
		Created: v1.Time{Time: created}, CreatedBy: "immure build", Comment: comment(sealLayer),
	}})
	if err != nil {
		return nil, fmt.Errorf("add seal: %w", err)
	}
	return sealed, nil
}

// sealLayer is the place of the seal's layer.
const sealLayer = 2
