package main

import (
	"context"
	"fmt"
	"strings"
)

// serve runs both services side by side and talks to them.
func (d *demo) serve(ctx context.Context) error {
	d.chapter("both run under runc, each in the boundary that was signed")
	web, err := d.run(ctx, hello, "8080", "-e", "HELLO_NAME=from inside the walls")
	if err != nil {
		return err
	}
	cache, err := d.run(ctx, redis, "6379")
	if err != nil {
		return err
	}
	body, err := d.get(ctx, "http://"+web.addr+"/")
	if err != nil {
		return err
	}
	if body != "hello, from inside the walls\n" {
		return fmt.Errorf("hello answered %q", body)
	}
	walls, err := d.get(ctx, "http://"+web.addr+"/walls")
	if err != nil {
		return err
	}
	if lines, refused := strings.Count(walls, "\n"), strings.Count(walls, " refused: "); refused == 0 || refused != lines {
		return fmt.Errorf("of %d things that hello tried only %d were refused", lines, refused)
	}
	if err := d.talk(ctx, cache.addr); err != nil {
		return err
	}
	d.figures[hello].start, d.figures[redis].start = web.ready, cache.ready
	for _, s := range []*service{web, cache} {
		if err := d.finish(s); err != nil {
			return err
		}
	}
	return nil
}

func (d *demo) run(ctx context.Context, name, port string, more ...string) (*service, error) {
	args := []string{d.figures[name].ref, "--key", "cosign.pub", "--store", store, "-p", "127.0.0.1:0:" + port}
	return d.start(ctx, append(args, more...)...)
}

// talk stores a value in redis and reads it back.
func (d *demo) talk(ctx context.Context, addr string) error {
	answers, err := d.ask(ctx, addr, "SET wall brick", "GET wall", "CONFIG SET dir /")
	if err != nil {
		return err
	}
	for i, want := range []string{"OK", "brick", "NOPERM"} {
		if !strings.HasPrefix(answers[i], want) {
			return fmt.Errorf("redis answered %q, want %s", answers[i], want)
		}
	}
	return nil
}
