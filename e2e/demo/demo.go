package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"

	"github.com/immure-dev/immure/internal/testregistry"
	"github.com/immure-dev/immure/verify/runtime"
)

// A demo is a directory, a registry in memory, and what was found out so far.
type demo struct {
	out      io.Writer
	repo     string // of the sources; only read
	dir      string // where commands run
	registry string // "127.0.0.1:port"

	stopRegistry func() error
	running      []*service
	// newState reports that immure's state directory was not there before.
	newState bool

	figures  map[string]*figures // by service
	attempts []attempt           // that were refused
}

func newDemo(ctx context.Context, repo string, out io.Writer) (*demo, error) {
	d := &demo{out: out, repo: repo, figures: map[string]*figures{"hello": {}, "redis": {}}}
	_, err := os.Lstat(runtime.DefaultStateDir)
	d.newState = errors.Is(err, os.ErrNotExist)
	if d.dir, err = os.MkdirTemp("", "immure-demo-"); err != nil {
		return nil, err
	}
	// Programs that are interrupted leave things in their temporary directory.
	err = errors.Join(os.Mkdir(d.path("tmp"), 0o700), d.startRegistry(ctx))
	for _, name := range []string{"hello", "redis"} {
		err = errors.Join(err, d.copyExample(name, name))
	}
	if err != nil {
		return nil, errors.Join(err, d.close())
	}
	return d, nil
}

func (d *demo) startRegistry(ctx context.Context) error {
	l, err := testregistry.Listen()
	if err != nil {
		return err
	}
	// It outlives an interrupt, so that what is under way ends in its own way.
	ctx, stop := context.WithCancel(context.WithoutCancel(ctx))
	served := make(chan error, 1)
	go func() { served <- testregistry.Serve(ctx, l, testregistry.Handler()) }()
	d.registry = l.Addr().(*net.TCPAddr).String()
	d.stopRegistry = func() error { stop(); return <-served }
	return nil
}

// copyExample copies an example without its lock file: which versions of a
// package there are is this machine's archive to say.
func (d *demo) copyExample(name, to string) error {
	from, dir := filepath.Join(d.repo, "examples", name), filepath.Join(d.dir, to)
	if err := os.CopyFS(dir, os.DirFS(from)); err != nil {
		return fmt.Errorf("copy example: %w", err)
	}
	if err := os.Remove(filepath.Join(dir, "immure.lock")); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return nil
}

// close ends what runs and removes what was written.
func (d *demo) close() error {
	var errs []error
	for _, s := range d.running {
		_, err := s.stop()
		errs = append(errs, err)
	}
	if d.stopRegistry != nil {
		errs = append(errs, d.stopRegistry())
	}
	errs = append(errs, os.RemoveAll(d.dir))
	if d.newState {
		// Only if nobody else uses them by now: full directories stay.
		for _, sub := range []string{"bundles", "logs", "runc", "crun", "."} {
			_ = os.Remove(filepath.Join(runtime.DefaultStateDir, sub))
		}
	}
	return errors.Join(errs...)
}

func (d *demo) printf(format string, args ...any) { fmt.Fprintf(d.out, format, args...) }

// path is of a file in the demo's directory.
func (d *demo) path(name string) string { return filepath.Join(d.dir, name) }

// image is a reference to the demo's registry.
func (d *demo) image(name string) string { return d.registry + "/" + name }
