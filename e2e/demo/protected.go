package main

import (
	"context"
	"fmt"
	"os"
	"strings"
)

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
