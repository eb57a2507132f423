package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"strings"

	"github.com/google/go-containerregistry/pkg/v1/layout"
)

// An inside is what the images hold, in bytes.
type inside struct {
	Size        struct{ Bytes int64 } // of the service's files
	Unminimised struct{ Bytes int64 } // of what they were chosen from
	holds       contents              // of all layers, unpacked
}

// sizes builds the examples and weighs them.
func sizes(ctx context.Context, b *bed, r *report) error {
	if err := b.hello(ctx); err != nil {
		return err
	}
	if err := os.CopyFS(b.path("redis"), os.DirFS(b.root+"/examples/redis")); err != nil {
		return fmt.Errorf("copy example: %w", err)
	}
	// The packages of this machine's own sources: those of the lock file may be
	// gone from the mirrors.
	redis, err := b.weigh(ctx, "redis", "--relock")
	if err != nil {
		return err
	}
	hello, err := b.weigh(ctx, "hello")
	if err != nil {
		return err
	}
	r.title("sizes: all layers unpacked, boundary and seal included")
	r.printf("redis  %.2f MB; its own files %.2f MB; the packages it comes from, unpacked, %.1f MB\n", mb(redis.holds.bytes), mb(redis.Size.Bytes), mb(redis.Unminimised.Bytes))
	r.printf("hello  %.2f MB; its own files %.2f MB\n", mb(hello.holds.bytes), mb(hello.Size.Bytes))
	r.figure("redis image, unpacked", 20, mb(redis.holds.bytes), "MB")
	r.figure("hello image, unpacked, beyond its program", 100, float64(hello.holds.bytes-hello.Size.Bytes)/1e3, "kB")
	if err := compareDebian(ctx, r, redis.holds); err != nil {
		return err
	}
	return r.err
}

func mb(bytes int64) float64 { return float64(bytes) / 1e6 }

func (b *bed) weigh(ctx context.Context, service string, more ...string) (in inside, err error) {
	dir := b.path(service + ".oci")
	argv := []string{b.immure, "build", "-f", service + "/immure.yaml", "--key", "cosign.key", "-o", dir, "--json"}
	out, err := b.output(ctx, append(argv, more...)...)
	if err != nil {
		return in, err
	}
	if err := json.NewDecoder(strings.NewReader(out)).Decode(&in); err != nil {
		return in, fmt.Errorf("read sizes of %s: %w", service, err)
	}
	if in.holds, err = unpacked(dir); err != nil {
		return in, fmt.Errorf("weigh %s: %w", service, err)
	}
	return in, nil
}

// unpacked is what the image in a layout holds.
func unpacked(dir string) (all contents, err error) {
	index, err := layout.ImageIndexFromPath(dir)
	if err != nil {
		return all, err
	}
	manifest, err := index.IndexManifest()
	if err != nil {
		return all, err
	}
	for _, d := range manifest.Manifests {
		if d.Annotations["org.opencontainers.image.ref.name"] == "" {
			continue // what stands beside the image
		}
		img, err := index.Image(d.Digest)
		if err != nil {
			return all, err
		}
		layers, err := img.Layers()
		if err != nil {
			return all, err
		}
		for _, l := range layers {
			r, err := l.Uncompressed()
			if err != nil {
				return all, err
			}
			err = all.add(r)
			r.Close()
			if err != nil {
				return all, err
			}
		}
	}
	if all.bytes == 0 {
		return all, fmt.Errorf("no tagged image in the layout")
	}
	return all, nil
}
