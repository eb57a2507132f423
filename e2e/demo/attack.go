package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// An attempt is one way to have something started, or taken for signed, that
// is not what was signed.
type attempt struct {
	title string
	// prepare commits the crime and returns the command that must notice it.
	prepare func(context.Context) ([]string, error)
	// facet is what the reason must be about, found what it must say of it.
	facet, found string
}

var refusal = regexp.MustCompile(`^immure: refused: ([^:]+): (.*)$`)

// attack makes every attempt. One that is not refused, refused with another
// status or for another reason ends the demo.
func (d *demo) attack(ctx context.Context) error {
	d.chapter("attempts to have something else started: each must be refused with status 1")
	if err := d.beforehand(ctx); err != nil {
		return err
	}
	for i, a := range d.list() {
		d.printf("%d. %s\n", i+1, a.title)
		args, err := a.prepare(ctx)
		if err != nil {
			return fmt.Errorf("prepare attempt %q: %w", a.title, err)
		}
		if err := d.try(ctx, a, args); err != nil {
			return err
		}
		d.attempts = append(d.attempts, a)
	}
	return d.loopback(ctx)
}

// try runs the command and judges how it ended.
func (d *demo) try(ctx context.Context, a attempt, args []string) error {
	r, err := d.immure(ctx, args...)
	if err != nil {
		return err
	}
	var reasons []string
	named := ""
	for l := range strings.Lines(r.stderr) {
		l = strings.TrimSpace(l)
		m := refusal.FindStringSubmatch(l)
		if m == nil {
			continue
		}
		reasons = append(reasons, l)
		if named == "" && m[1] == a.facet && strings.Contains(m[2], a.found) {
			named = l
		}
	}
	switch {
	case r.status == 0:
		return fmt.Errorf("attempt %q was not refused", a.title)
	case r.status != statusFailed || len(reasons) == 0:
		return fmt.Errorf("attempt %q: status %d, want 1 and a reason: %s", a.title, r.status, strings.TrimSpace(r.stderr))
	case named == "":
		return fmt.Errorf("attempt %q was refused for another reason than %s, %s: %s", a.title, a.facet, a.found, strings.TrimSpace(r.stderr))
	}
	d.show(named)
	if more := len(reasons) - 1; more > 0 {
		d.printf("  and for %d more\n", more)
	}
	return nil
}

// beforehand makes what the attempts start from: a stranger with a key and a
// program of his own, and a configuration that is within.
func (d *demo) beforehand(ctx context.Context) error {
	if err := d.copyExample(hello, "evil"); err != nil {
		return err
	}
	if err := d.edit("evil/main.go", `"hello, %s\n"`, `"owned, %s\n"`); err != nil {
		return err
	}
	for _, args := range [][]string{
		{"keygen", "-o", "stranger"},
		{"build", "-f", "evil/immure.yaml", "--key", "stranger.key", "--push", d.image("evil")},
		{"build", "-f", "evil/immure.yaml", "--push", d.image("evil:unsealed")},
	} {
		r, err := d.quietly(ctx, args...)
		if err := cmpStatus(r, err, args); err != nil {
			return err
		}
	}
	ref := d.figures[hello].ref
	args := []string{"render", "--to", "oci", ref, "--key", "cosign.pub"}
	d.printf("$ immure %s >config.json\n", line(args))
	r, err := d.quietly(ctx, args...)
	if err := cmpStatus(r, err, args); err != nil {
		return err
	}
	if err := os.WriteFile(d.path("config.json"), []byte(r.stdout), 0o600); err != nil {
		return err
	}
	// The same unchanged is allowed, or the attempts would show nothing.
	args = []string{"verify", ref, "--key", "cosign.pub", "--config", "config.json"}
	r, err = d.immure(ctx, args...)
	if err := cmpStatus(r, err, args); err != nil {
		return err
	}
	first, _, _ := strings.Cut(r.stdout, "\n")
	d.show(first)
	return nil
}

// list is all attempts, in the order in which they are made.
func (d *demo) list() []attempt {
	ref := d.figures[hello].ref
	verify := func(ref string, more ...string) []string {
		return append([]string{"verify", ref, "--key", "cosign.pub"}, more...)
	}
	run := func(ref string, more ...string) []string {
		return append([]string{"run", ref, "--key", "cosign.pub", "--store", store}, more...)
	}
	config := func(title, file string, change func(object), facet, found string) attempt {
		return attempt{"config.json with " + title, func(context.Context) ([]string, error) {
			return verify(ref, "--config", file), d.request(file, change)
		}, facet, found}
	}
	repacked := func(title, as string, change func([]v1.Layer) ([]v1.Layer, error), args func(string, ...string) []string) attempt {
		return attempt{title, func(ctx context.Context) ([]string, error) {
			forged, err := d.repack(ctx, ref, as, change)
			return args(forged), err
		}, "files", "immureTree1:"}
	}
	return []attempt{
		{"an image built and signed by a stranger", func(context.Context) ([]string, error) {
			return run(d.image("evil")), nil
		}, "signature", ""},
		repacked("one bit flipped in the program, manifest made to fit, seal kept", "hello:flipped", flipBit("usr/bin/hello"), run),
		repacked("a shell added in a layer on top", "hello:added", addFile("bin/sh", []byte("#!/bin/true\n")), verify),
		{"the signed statement of hello put beside the stranger's image", func(ctx context.Context) ([]string, error) {
			evil, err := d.resolve(ctx, "evil:unsealed")
			if err != nil {
				return nil, err
			}
			return verify(evil), d.lendStatement(ctx, ref, evil)
		}, "signature", ""},
		{"the seal of hello put into the stranger's image", d.lendSeal(verify), "files", "immureTree1:"},
		config("a capability more", "capability.json", moreCapability, "capabilities.bounding", "CAP_SYS_ADMIN"),
		config("a writable root", "writable.json", writableRoot, "rootfs", "writable"),
		config("the host's root mounted at /host", "mount.json", hostMount, "mounts", "/host"),
		config("no seccomp", "unconfined.json", noSeccomp, "syscalls", "unconfined"),
		config("the host's processes in sight", "pids.json", hostPIDs, "namespaces.pid", "host"),
		config("a working directory of the host (CVE-2024-21626)", "cwd.json", hostCwd, "process.cwd", "/proc/self/fd/7"),
		{"a library smuggled in by the environment", func(context.Context) ([]string, error) {
			return run(ref, "-e", "LD_PRELOAD=/tmp/evil.so"), nil
		}, "process.env", "LD_PRELOAD"},
		{"a port published that the boundary does not state", func(context.Context) ([]string, error) {
			return run(ref, "-p", "127.0.0.1:0:9090"), nil
		}, "network.listen", "9090/tcp"},
		{"the unpacked program changed on this machine's disk", d.changeStore(run, ref), "files", "immureTree1:"},
		{"the next release, signed with the right key, with twice the memory", d.widen(ref), "resources.memoryMaxBytes", "134217728"},
	}
}

// resolve gives a tag's reference by digest.
func (d *demo) resolve(ctx context.Context, tag string) (string, error) {
	img, err := d.pull(ctx, d.image(tag))
	if err != nil {
		return "", err
	}
	digest, err := img.Digest()
	repo, _, _ := strings.Cut(tag, ":")
	return d.image(repo) + "@" + digest.String(), err
}

func (d *demo) lendSeal(command func(string, ...string) []string) func(context.Context) ([]string, error) {
	return func(ctx context.Context) ([]string, error) {
		sealed, err := d.pull(ctx, d.figures[hello].ref)
		if err != nil {
			return nil, err
		}
		from, err := sealed.Layers()
		if err != nil {
			return nil, err
		}
		forged, err := d.repack(ctx, d.image("evil:unsealed"), "evil:lent", func(own []v1.Layer) ([]v1.Layer, error) {
			return append(own, from[sealLayer]), nil
		})
		return command(forged), err
	}
}

// changeStore flips a bit of the program where run unpacked it before.
func (d *demo) changeStore(command func(string, ...string) []string, ref string) func(context.Context) ([]string, error) {
	return func(context.Context) ([]string, error) {
		found, err := filepath.Glob(d.path(store + "/*/*/usr/bin/hello"))
		if err != nil || len(found) != 1 {
			return nil, fmt.Errorf("find the unpacked program: %d in the store, want 1", len(found))
		}
		data, err := os.ReadFile(found[0])
		if err != nil {
			return nil, err
		}
		data[len(data)/2] ^= 1
		return command(ref), os.WriteFile(found[0], data, 0o755)
	}
}

// widen builds hello with a looser boundary and compares.
func (d *demo) widen(ref string) func(context.Context) ([]string, error) {
	return func(ctx context.Context) ([]string, error) {
		if err := d.copyExample(hello, "next"); err != nil {
			return nil, err
		}
		if err := d.edit("next/immure.yaml", "memory: 64Mi", "memory: 128Mi"); err != nil {
			return nil, err
		}
		args := []string{"build", "-f", "next/immure.yaml", "--key", "cosign.key", "--push", d.image("hello:next")}
		r, err := d.quietly(ctx, args...)
		return []string{"diff", "--quiet", "--key", "cosign.pub", ref, strings.TrimSpace(r.stdout)}, cmpStatus(r, err, args)
	}
}

// edit replaces a text that a file holds once.
func (d *demo) edit(file, from, to string) error {
	data, err := os.ReadFile(d.path(file))
	if err != nil {
		return err
	}
	if n := bytes.Count(data, []byte(from)); n != 1 {
		return fmt.Errorf("edit %s: %q is there %d times, want once", file, from, n)
	}
	return os.WriteFile(d.path(file), bytes.Replace(data, []byte(from), []byte(to), 1), 0o600)
}

// loopback shows that a published port does not make clients look local: redis
// in its protected mode, which trusts loopback alone, denies them.
func (d *demo) loopback(ctx context.Context) error {
	d.printf("%d. redis in protected mode, which lets only local clients in, asked through a published port\n", len(d.attempts)+1)
	if err := os.CopyFS(d.path("protected"), os.DirFS(d.path(redis))); err != nil {
		return err
	}
	if err := d.edit("protected/redis.conf", "protected-mode no", "protected-mode yes"); err != nil {
		return err
	}
	args := []string{"build", "-f", "protected/immure.yaml", "--key", "cosign.key", "--push", d.image("redis:protected")}
	r, err := d.quietly(ctx, args...)
	if err := cmpStatus(r, err, args); err != nil {
		return err
	}
	s, err := d.start(ctx, strings.TrimSpace(r.stdout), "--key", "cosign.pub", "--store", store, "-p", "127.0.0.1:0:6379")
	if err != nil {
		return err
	}
	answers, err := d.ask(ctx, s.addr, "GET wall")
	if err != nil {
		return err
	}
	a := attempt{title: "redis in protected mode, asked through a published port", facet: "redis itself"}
	if !strings.HasPrefix(answers[0], "DENIED ") {
		return fmt.Errorf("attempt %q was not refused: redis answered %q", a.title, answers[0])
	}
	d.attempts = append(d.attempts, a)
	return d.finish(s)
}
