package main

import (
	"context"
	"fmt"
	"os"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
)

const predicateType = "https://github.com/immure-dev/immure/boundary/v1"

// rebuild compares a build of an unchanged service, pushed, signed and
// attested, with the same by ko and cosign: the same source, compiler flags,
// key, predicate and registry, and for ko a base image without a layer.
func rebuild(ctx context.Context, b *bed, r *report) error {
	if err := b.hello(ctx); err != nil {
		return err
	}
	if err := b.pushBase(); err != nil {
		return err
	}
	config := fmt.Sprintf("defaultBaseImage: %s/base\nbuilds:\n- id: hello\n  ldflags: [\"-s\", \"-w\", \"-buildid=\"]\n", b.registry)
	if err := b.write("hello/.ko.yaml", []byte(config)); err != nil {
		return err
	}
	ko := command{
		dir: "hello", env: []string{"KO_DOCKER_REPO=" + b.registry + "/ko"},
		argv: []string{b.ko, "build", "--bare", "--sbom=none", "--platform=linux/amd64", "."},
	}
	_, image, err := b.run(ctx, ko)
	if err != nil {
		return err
	}
	all, err := b.race(
		ctx,
		contestant{name: "immure", commands: []command{b.buildHello()}},
		contestant{name: "ko", commands: []command{ko}},
		contestant{name: "cosign sign", commands: []command{{argv: []string{
			b.cosign, "sign", "--key", "cosign.key", "--tlog-upload=false", "--yes", image,
		}}}},
		contestant{name: "cosign attest", commands: []command{{argv: []string{
			b.cosign, "attest", "--key", "cosign.key", "--tlog-upload=false", "--yes", "--new-bundle-format",
			"--type", predicateType, "--predicate", "predicate.json", image,
		}}}},
		contestant{name: "go build alone", commands: []command{{
			dir: "hello", env: []string{"CGO_ENABLED=0"},
			argv: []string{"go", "build", "-trimpath", "-buildvcs=false", "-ldflags=-s -w -buildid=", "-o", b.path("program"), "."},
		}}},
	)
	if err != nil {
		return err
	}
	r.title("rebuild: no source change, built, pushed, signed and attested")
	r.commands(b, all)
	together := add("ko and cosign", all[1:4]...)
	r.table([]series{all[0], together, all[1], all[2], all[3], all[4]})
	r.figure("rebuild, wall time against ko and cosign", 0.5, median(all[0].of(wall))/median(together.of(wall)), "×")
	return r.err
}

func (b *bed) buildHello() command {
	return command{argv: []string{b.immure, "build", "-f", "hello/immure.yaml", "--key", "cosign.key", "--push", b.registry + "/hello"}}
}

// hello copies the example out of the repository, so that no compiler stamps a
// version into it, builds it, and writes its predicate for cosign to sign.
func (b *bed) hello(ctx context.Context) error {
	if b.image != "" {
		return nil
	}
	if err := os.CopyFS(b.path("hello"), os.DirFS(b.root+"/examples/hello")); err != nil {
		return fmt.Errorf("copy example: %w", err)
	}
	_, image, err := b.run(ctx, b.buildHello())
	if err != nil {
		return err
	}
	predicate, err := b.predicate(ctx, image)
	if err != nil {
		return err
	}
	b.image = image
	return b.write("predicate.json", predicate)
}

// pushBase pushes an image without a layer.
func (b *bed) pushBase() error {
	ref, err := name.ParseReference(b.registry + "/base")
	if err != nil {
		return fmt.Errorf("push base image: %w", err)
	}
	config, err := empty.Image.ConfigFile()
	if err != nil {
		return fmt.Errorf("push base image: %w", err)
	}
	config = config.DeepCopy()
	config.OS, config.Architecture = "linux", "amd64"
	img, err := mutate.ConfigFile(empty.Image, config)
	if err == nil {
		err = remote.Write(ref, img)
	}
	if err != nil {
		return fmt.Errorf("push base image: %w", err)
	}
	return nil
}

// add is the series of those who work one after another.
func add(name string, parts ...series) series {
	sum := series{contestant: contestant{name: name}, samples: make([]sample, len(parts[0].samples))}
	for _, p := range parts {
		for i, s := range p.samples {
			sum.samples[i].Wall += s.Wall
			sum.samples[i].CPU += s.CPU
			sum.samples[i].Memory = max(sum.samples[i].Memory, s.Memory)
		}
	}
	return sum
}
