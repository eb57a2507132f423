//go:build e2e && full

package hostile_test

import (
	"bytes"
	"compress/gzip"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// A few bytes that unpack to very many, again and again: each layer is within
// its bounds, and all of them together must be too.
func TestBombs(t *testing.T) {
	f := service(t)
	var bomb bytes.Buffer
	z := gzip.NewWriter(&bomb)
	for range 1 << 10 {
		_, err := z.Write(make([]byte, 1<<20))
		must(t, err)
	}
	must(t, z.Close())
	layers := make([]v1.Layer, 64)
	for i := range layers {
		layers[i] = static.NewLayer(bomb.Bytes(), types.OCILayer)
	}
	f.verify(t, inLayout(t, f.over(t, layers...))).refused(t, 2, "unpack to more than")
}
