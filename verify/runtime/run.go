package runtime

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	goruntime "runtime"

	"golang.org/x/sys/unix"

	"github.com/immure-dev/immure/internal/reflect"
)

// noStatus is the status of a run whose service never ran.
const noStatus = -1

// Available reports what is missing to run containers: root, or a runtime (a
// path, or empty for the one that [Run] would find). It changes nothing.
func Available(runtimePath string) error {
	if os.Geteuid() != 0 {
		return errNotRoot
	}
	_, err := findRuntime(runtimePath)
	return err
}

// Run runs one container from creation to removal and returns the service's
// exit status, or 128 and the signal that killed it. With an error the status
// says nothing, unless the service had ended by itself and only the cleaning up
// failed. The service is killed when ctx ends.
//
// While it runs, every signal that can be handed on goes to the service and
// none ends this process; a caller does not tie ctx to signals. Of SIGINT,
// SIGTERM, SIGQUIT and SIGHUP, one for which the service has no handler kills
// it, as it would outside a pid namespace: the status is 128 and that signal.
// A service that ignores them is left alone, but the third SIGINT or SIGTERM
// within ten seconds kills it: the status is 137. The process
// becomes, and stays, a child subreaper (prctl(2)): the container's first
// process is its child, so that its status can be known.
func Run(ctx context.Context, o Options) (int, error) {
	req, err := o.validate()
	if err != nil {
		return noStatus, err
	}
	if o.StateDir == "" {
		o.StateDir = DefaultStateDir
	}
	path, err := findRuntime(o.Runtime)
	if err != nil {
		return noStatus, err
	}
	if err := unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); err != nil {
		return noStatus, fmt.Errorf("run container: become subreaper: %w", err)
	}
	sealDescriptors()
	// The runtime dies with the thread that started it.
	goruntime.LockOSThread()
	defer goruntime.UnlockOSThread()

	signals, ctx := startRelay(ctx)
	defer signals.stop()
	if o.Interrupted != nil {
		if err := o.Interrupted(); err != nil {
			return noStatus, err
		}
	}
	listeners, err := reflect.Listen(ctx, o.Publish)
	if err != nil {
		return noStatus, err
	}
	defer listeners.Close()
	if err := openState(o.StateDir); err != nil {
		return noStatus, err
	}
	lock, err := acquire(o.StateDir, o.ID)
	if err != nil {
		return noStatus, err
	}
	defer lock.Close()
	c := &container{
		Options: o, dir: bundlePath(o.StateDir, o.ID), listeners: listeners,
		engine: engine{path: path, root: filepath.Join(o.StateDir, engineDir)},
	}
	if !detached() {
		return c.run(ctx, signals, lock, req.Linux.CgroupsPath)
	}
	output, err := openLog(o.StateDir, o.ID)
	if err != nil {
		return noStatus, errors.Join(err, os.RemoveAll(c.dir))
	}
	c.Stdin, c.Stdout, c.Stderr = nil, output.in, output.in
	status, err := c.run(ctx, signals, lock, req.Linux.CgroupsPath)
	return status, errors.Join(err, output.close(status, err))
}

// run fills the locked bundle, lives through the container's life and removes
// everything.
func (c *container) run(ctx context.Context, signals *relay, lock *os.File, cgroup string) (int, error) {
	err := freeCgroup(cgroup)
	if err == nil {
		err = fill(c.dir, c.engine.path, c.Config)
	}
	var k *keeper
	if err == nil {
		k, err = startKeeper(c.StateDir, c.ID, lock)
	}
	if err != nil {
		return noStatus, errors.Join(err, os.RemoveAll(c.dir))
	}
	defer k.dismiss()
	defer c.beside.Wait()
	err = c.live(ctx, signals)
	status := c.end(signals.release())
	if err != nil {
		status = noStatus
	}
	return status, errors.Join(err, clean(c.StateDir, c.ID, c.exited != nil))
}

// live takes a container from its creation to its end.
func (c *container) live(ctx context.Context, signals *relay) error {
	if err := c.create(ctx, signals.all); err != nil {
		return err
	}
	if err := c.start(ctx, signals); err != nil {
		return err
	}
	running := Running{ID: c.ID, PID: c.pid, RunPID: os.Getpid()}
	for _, p := range c.listeners.Ports() {
		running.Publish = append(running.Publish, PublishedPort(p))
	}
	if err := announce(running); err != nil {
		return err
	}
	if c.Started != nil {
		c.Started(running)
	}
	return c.wait(ctx)
}
