package main

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"strings"
)

// The job has a root of about 10 MB: its program and files of random bytes.
const (
	jobFiles     = 80
	jobFileBytes = 100 << 10
)

const jobService = `service: job
kind: job
from: {go: .}
run: {args: [/usr/bin/job]}
boundary:
  files: {add: [{from: ./data, to: /usr/share/job}]}
`

// running compares the start of a job that ends at once under immure run, with
// a warm store, with runc run of the same root and the same configuration.
func running(ctx context.Context, b *bed, r *report) error {
	image, err := b.job(ctx)
	if err != nil {
		return err
	}
	run := func(image string) []command {
		return []command{{argv: []string{b.immure, "run", "--key", "cosign.pub", "--store", b.path("store"), image}}}
	}
	if _, _, err := b.run(ctx, run(image)[0]); err != nil {
		return err
	}
	if err := b.bundle(ctx, image); err != nil {
		return err
	}
	layout, err := b.output(ctx, b.immure, "build", "-f", "job/immure.yaml", "--key", "cosign.key", "-o", b.path("job.oci"))
	if err != nil {
		return err
	}
	all, err := b.race(
		ctx,
		contestant{name: "runc", commands: []command{{argv: []string{b.runc, "--root", b.path("runc"), "run", "--bundle", b.path("bundle"), "job"}}}},
		contestant{name: "immure", commands: run(image)},
		contestant{name: "immure, OCI layout", commands: run(layout)},
		contestant{name: "immure verify alone", commands: []command{{argv: []string{b.immure, "verify", "--key", "cosign.pub", image}}}},
	)
	if err != nil {
		return err
	}
	r.title("run: a job of 10 MB that ends at once, store warm")
	r.commands(b, all)
	r.table(all)
	r.printf("same root (the store's), same configuration (immure render --to oci); immure verifies the image, hashes every file of\n")
	r.printf("the root, judges the configuration and reads the service back at its exec; of a layout it reads every layer as well\n")
	runc := median(all[0].of(wall))
	r.figure("run, added to runc run", 30, median(all[1].of(wall))-runc, "ms")
	r.figure("run from an OCI layout, added to runc run", 30, median(all[2].of(wall))-runc, "ms")
	return r.err
}

// job builds and pushes the job.
func (b *bed) job(ctx context.Context) (string, error) {
	random := rand.NewChaCha8([32]byte{})
	content := make([]byte, jobFileBytes)
	files := map[string]string{
		"job/main.go": "package main\n\nfunc main() {}\n", "job/go.mod": "module job\n\ngo 1.26\n", "job/immure.yaml": jobService,
	}
	for i := range jobFiles {
		_, _ = random.Read(content) // never fails
		files[fmt.Sprintf("job/data/%02d", i)] = string(content)
	}
	for name, data := range files {
		if err := b.write(name, []byte(data)); err != nil {
			return "", err
		}
	}
	return b.output(ctx, b.immure, "build", "-f", "job/immure.yaml", "--key", "cosign.key", "--push", b.registry+"/job")
}

// bundle writes runc's bundle: the rendered configuration with the root of the
// store that immure run filled.
func (b *bed) bundle(ctx context.Context, image string) error {
	text, err := b.output(ctx, b.immure, "render", "--to", "oci", "--key", "cosign.pub", image)
	if err != nil {
		return err
	}
	var config map[string]any
	decoder := json.NewDecoder(strings.NewReader(text))
	decoder.UseNumber()
	if err := decoder.Decode(&config); err != nil {
		return fmt.Errorf("read rendered configuration: %w", err)
	}
	roots, err := filepath.Glob(b.path("store", "trees", "*"))
	if err != nil || len(roots) != 1 {
		return fmt.Errorf("find the unpacked root: %d in the store, %w", len(roots), err)
	}
	root, ok := config["root"].(map[string]any)
	if !ok {
		return fmt.Errorf("read rendered configuration: no root")
	}
	root["path"] = roots[0]
	data, err := json.Marshal(config)
	if err != nil {
		return fmt.Errorf("write bundle: %w", err)
	}
	return b.write("bundle/config.json", data)
}
