// Command demo takes two real services through everything that immure does:
// builds and signs them, runs them and talks to them, then tries every way of
// its list to get something else started, and fails when one succeeds.
//
// It runs the built bin/immure as a person would, in a directory of its own,
// and prints each command before its answer. Root and runc are needed; nothing
// is left behind, however it ends.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"
)

// The exit statuses: the same as immure's.
const (
	statusFailed = 1
	statusUnable = 2
)

// mostTime ends a demo that hangs. One on a slow line to a package archive
// takes a minute.
const mostTime = 15 * time.Minute

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	ctx, cancel := context.WithTimeout(ctx, mostTime)
	status := start(ctx)
	cancel()
	stop()
	os.Exit(status)
}

func start(ctx context.Context) int {
	repo, err := able()
	if err != nil {
		fmt.Fprintln(os.Stderr, "demo:", err)
		return statusUnable
	}
	err = demonstrate(ctx, repo)
	switch {
	case err == nil:
		return 0
	case errors.Is(ctx.Err(), context.Canceled):
		fmt.Fprintln(os.Stderr, "demo: interrupted")
	default:
		fmt.Fprintln(os.Stderr, "demo: FAILED:", err)
	}
	return statusFailed
}

// able looks for all that is needed, before anything is done, and returns the
// directory of the sources.
func able() (repo string, err error) {
	if os.Geteuid() != 0 {
		return "", errors.New("containers are started as root: run make demo as root, or with sudo installed")
	}
	if _, err := exec.LookPath("runc"); err != nil {
		return "", errors.New("runc is not in PATH: apt-get install runc")
	}
	if repo, err = os.Getwd(); err != nil {
		return "", err
	}
	for _, needed := range []string{"bin/immure", "examples/hello", "examples/redis"} {
		if _, err := os.Stat(filepath.Join(repo, needed)); err != nil {
			return "", fmt.Errorf("no %s here: run make demo where the Makefile lies", needed)
		}
	}
	return repo, nil
}

func demonstrate(ctx context.Context, repo string) (err error) {
	d, err := newDemo(ctx, repo, os.Stdout)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, d.close()) }()
	for _, part := range []func(context.Context) error{d.build, d.serve, d.attack, d.table} {
		if err := part(ctx); err != nil {
			return err
		}
	}
	return nil
}
