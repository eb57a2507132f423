package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
)

// password is of the keys made here, in the variable that both programs read.
const password = "COSIGN_PASSWORD=bench"

// A bed is what every contestant works on: a directory, a registry, a key pair.
type bed struct {
	turns int
	root  string // of the project
	dir   string // temporary
	env   []string
	// registry is "127.0.0.1:port", of a process of its own, so that this one
	// stays small.
	registry string
	serving  *exec.Cmd

	immure, cosign, ko, runc string

	// image is hello, with its digest, once it is built.
	image string
}

func newBed(ctx context.Context, turns int) (_ *bed, err error) {
	if os.Geteuid() != 0 {
		return nil, fmt.Errorf("%w: containers are run, and that needs root", errUse)
	}
	b := &bed{turns: turns}
	if b.root, err = projectRoot(); err != nil {
		return nil, err
	}
	if err := b.programs(); err != nil {
		return nil, err
	}
	if b.dir, err = os.MkdirTemp("", "immure-bench-*"); err != nil {
		return nil, fmt.Errorf("make bed: %w", err)
	}
	if err := b.prepare(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("make bed: %w", err), b.Close())
	}
	return b, nil
}

func (b *bed) prepare(ctx context.Context) error {
	if err := b.environment(ctx); err != nil {
		return err
	}
	if err := b.serve(ctx); err != nil {
		return err
	}
	_, err := b.output(ctx, b.immure, "keygen", "-o", "cosign")
	return err
}

// projectRoot is the directory of go.mod, from here upwards.
func projectRoot() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", fmt.Errorf("find project: %w", err)
	}
	for ; ; dir = filepath.Dir(dir) {
		if _, err := os.Stat(filepath.Join(dir, "e2e", "bench", "bed.go")); err == nil {
			return dir, nil
		}
		if dir == filepath.Dir(dir) {
			return "", fmt.Errorf("%w: not inside the project", errUse)
		}
	}
}

func (b *bed) programs() error {
	for name, into := range map[string]*string{"immure": &b.immure, "peers/cosign": &b.cosign, "peers/ko": &b.ko} {
		*into = filepath.Join(b.root, "bin", name)
		if _, err := os.Stat(*into); err != nil {
			return fmt.Errorf("%w: no bin/%s: run make build peers", errUse, name)
		}
	}
	path, err := exec.LookPath("runc")
	if err != nil {
		return fmt.Errorf("%w: no runc: run make setup", errUse)
	}
	b.runc = path
	return nil
}

// environment gives every contestant a home of its own, where no credentials,
// caches or settings of the user's lie, but the user's caches of Go.
func (b *bed) environment(ctx context.Context) error {
	home := filepath.Join(b.dir, "home")
	if err := os.Mkdir(home, 0o700); err != nil {
		return err
	}
	b.env = os.Environ()
	for _, name := range []string{"GOCACHE", "GOMODCACHE", "GOPATH", "GOPROXY", "GOSUMDB", "GOTOOLCHAIN"} {
		value, err := b.output(ctx, "go", "env", name)
		if err != nil {
			return err
		}
		b.env = append(b.env, name+"="+value)
	}
	b.env = append(b.env, "HOME="+home, "XDG_CACHE_HOME="+filepath.Join(home, "cache"), password, "SOURCE_DATE_EPOCH=")
	return nil
}

// serve starts the registry and waits for its address.
func (b *bed) serve(ctx context.Context) error {
	program := filepath.Join(b.dir, "registry")
	build := exec.CommandContext(ctx, "go", "build", "-o", program, "./e2e/registry")
	build.Dir, build.Env, build.Stderr = b.root, b.env, os.Stderr
	if err := build.Run(); err != nil {
		return fmt.Errorf("build registry: %w", err)
	}
	serving := exec.Command(program)
	serving.Stderr = os.Stderr
	serving.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // Ctrl-C is ours: it goes last
	out, err := serving.StdoutPipe()
	if err != nil {
		return err
	}
	if err := serving.Start(); err != nil {
		return fmt.Errorf("start registry: %w", err)
	}
	b.serving = serving
	line, err := bufio.NewReader(io.LimitReader(out, 1<<10)).ReadString('\n')
	if err != nil {
		return fmt.Errorf("start registry: %w", err)
	}
	b.registry = strings.TrimSpace(line)
	return nil
}

// Close ends the registry and removes everything.
func (b *bed) Close() error {
	var ended error
	if b.serving != nil {
		if ended = b.serving.Process.Signal(syscall.SIGTERM); ended == nil {
			ended = b.serving.Wait()
		}
	}
	return errors.Join(ended, os.RemoveAll(b.dir))
}

// path is a path in the bed's directory.
func (b *bed) path(elem ...string) string {
	return filepath.Join(append([]string{b.dir}, elem...)...)
}

func (b *bed) write(name string, data []byte) error {
	path := b.path(name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return fmt.Errorf("write %s: %w", name, err)
	}
	return os.WriteFile(path, data, 0o644)
}
