package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// store is where the demo's images are unpacked, apart from the machine's own.
const store = "store"

// The names of the two services, as in examples/.
const (
	hello = "hello"
	redis = "redis"
)

// figures are what was measured of a service.
type figures struct {
	ref                     string // with its digest
	files, unminimisedFiles int
	size, unminimised       int64 // bytes, uncompressed
	calls                   int
	build, rebuild          time.Duration
	verify, start           time.Duration
}

// built is what build --json prints, as far as it is asked for here.
type built struct {
	Digest            string
	Size, Unminimised struct {
		Files int
		Bytes int64
	}
}

// build makes keys, builds, signs and pushes both services, and verifies them
// by their digests. Each is built a second time in another directory.
func (d *demo) build(ctx context.Context) error {
	d.printf("In a directory of its own; digests are shortened.\n")
	d.chapter("keys, and two services built and signed")
	if _, err := d.done(ctx, "keygen"); err != nil {
		return err
	}
	for _, name := range []string{hello, redis} {
		if err := d.buildOne(ctx, name); err != nil {
			return err
		}
	}
	return d.plainHello(ctx)
}

func (d *demo) buildOne(ctx context.Context, name string) error {
	f := d.figures[name]
	r, err := d.done(ctx, "build", "-f", name+"/immure.yaml", "--key", "cosign.key", "--push", d.image(name))
	if err != nil {
		return err
	}
	f.ref, f.build = strings.TrimSpace(r.stdout), r.took
	if err := d.again(ctx, name); err != nil {
		return err
	}
	r, err = d.done(ctx, "verify", f.ref, "--key", "cosign.pub")
	f.verify = r.took
	return err
}

// again builds a service elsewhere and compares the digests.
func (d *demo) again(ctx context.Context, name string) error {
	f := d.figures[name]
	if err := os.MkdirAll(d.path("elsewhere"), 0o755); err != nil {
		return err
	}
	if err := os.CopyFS(d.path(filepath.Join("elsewhere", name)), os.DirFS(d.path(name))); err != nil {
		return err
	}
	args := []string{"build", "--json", "-f", "elsewhere/" + name + "/immure.yaml", "--key", "cosign.key", "-o", "again-" + name}
	r, err := d.immure(ctx, args...)
	if err := cmpStatus(r, err, args); err != nil {
		return err
	}
	var b built
	if err := json.Unmarshal([]byte(r.stdout), &b); err != nil {
		return fmt.Errorf("read what build --json printed: %w", err)
	}
	if !strings.HasSuffix(f.ref, "@"+b.Digest) {
		return fmt.Errorf("%s was built twice with two digests: %s and %s", name, f.ref, b.Digest)
	}
	if b.Size.Bytes == 0 {
		return fmt.Errorf("build --json gives %s no size", name)
	}
	d.show(`  "digest": "` + b.Digest + `", the same again: seal and all`)
	f.rebuild = r.took
	f.files, f.size = b.Size.Files, b.Size.Bytes
	f.unminimisedFiles, f.unminimised = b.Unminimised.Files, b.Unminimised.Bytes
	return nil
}

// plainHello measures what the Go service is compared with: the program as
// go build leaves it.
func (d *demo) plainHello(ctx context.Context) error {
	cmd := exec.CommandContext(ctx, "go", "build", "-o", d.path("plain-hello"), ".")
	cmd.Dir = d.path(hello)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "TMPDIR="+d.path("tmp"))
	if out, err := cmd.CombinedOutput(); err != nil {
		return errors.Join(ctx.Err(), fmt.Errorf("go build: %w: %s", err, strings.TrimSpace(string(out))))
	}
	info, err := os.Stat(d.path("plain-hello"))
	if err != nil {
		return err
	}
	d.figures[hello].unminimised, d.figures[hello].unminimisedFiles = info.Size(), 1
	return nil
}
