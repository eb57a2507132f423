package main

import (
	"context"
	"fmt"
	"os"
	"regexp"
	"strings"
	"time"
)

// An attempt is one way to have something started, or taken for signed, that
// is not what was signed.
type attempt struct {
	title string
	// prepare makes the forgery and returns the command that must notice it.
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

// tryTime is the longest that a refusal may take. Whatever still runs then was
// not refused.
const tryTime = 2 * time.Minute

// try runs the command and judges how it ended.
func (d *demo) try(ctx context.Context, a attempt, args []string) error {
	limited, cancel := context.WithTimeout(ctx, tryTime)
	defer cancel()
	r, err := d.immure(limited, args...)
	if err != nil && limited.Err() != nil && ctx.Err() == nil {
		return fmt.Errorf("attempt %q: no refusal within %s", a.title, tryTime)
	}
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
