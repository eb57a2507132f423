package runtime

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"github.com/immure-dev/immure/verify/observe"
)

// start publishes the ports and lets the service go once it has been judged.
func (c *container) start(ctx context.Context, signals *relay) error {
	if len(c.Publish) > 0 {
		if err := c.publish(); err != nil {
			return fmt.Errorf("publish ports: %w", err)
		}
	}
	if err := c.launch(ctx, signals); err != nil {
		return err
	}
	if c.reflector == nil {
		return nil
	}
	if err := c.reflector.Ready(); err != nil && c.alive() {
		return fmt.Errorf("publish ports: %w", err)
	}
	return nil
}

// publish starts the reflector in the container's network namespace.
func (c *container) publish() error {
	netns, err := os.Open(fmt.Sprintf("/proc/%d/ns/net", c.pid))
	if err != nil {
		return err
	}
	defer netns.Close()
	fd, err := unix.FcntlInt(uintptr(c.pidfd), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		return err
	}
	pidfd := os.NewFile(uintptr(fd), "pidfd")
	defer pidfd.Close()
	if c.reflector, err = c.listeners.Reflect(netns, pidfd); err != nil {
		return err
	}
	c.listeners.Close()
	return nil
}

// launch has the runtime start the container and judges the service behind its
// execve(2), where everything has been applied and nothing of it has run. It
// stays on the thread that runs the container, which is the tracer.
func (c *container) launch(ctx context.Context, signals *relay) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	held, err := observe.Seize(c.pid, c.pidfd)
	var ended *observe.EndedError
	if errors.As(err, &ended) {
		return fmt.Errorf("start container %q: %w; if nobody killed it, its memory limit is too low", c.ID, err)
	}
	if err != nil {
		return fmt.Errorf("judge container %q at its start: %w", c.ID, err)
	}
	defer held.Close()
	cmd := c.engine.command(filepath.Join(c.dir, logFile), "start", c.ID)
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("start container %q: %w", c.ID, err)
	}
	// Both wait for each other, so either's failure ends both.
	abort := func() {
		_ = unix.PidfdSendSignal(c.pidfd, unix.SIGKILL, nil, 0) // fails when it is dead
		_ = cmd.Process.Kill()
	}
	called, over := make(chan error, 1), make(chan struct{})
	defer func() { <-over }() // the pidfd is closed next
	go func() {
		defer close(over)
		err := c.explain(cmd, "start", cmd.Wait())
		called <- err // before what it causes is seen
		if err != nil {
			abort()
		}
	}()
	aborted := make(chan struct{})
	release := context.AfterFunc(ctx, func() {
		defer close(aborted)
		abort()
	})
	err = c.judge(ctx, held, signals)
	var failed error
	select {
	case failed = <-called: // the runtime has come to its end by itself
	default:
		if err == nil {
			failed = <-called
			break
		}
		abort()
		<-called // killed, it has nothing to tell
	}
	if !release() {
		<-aborted
		return context.Cause(ctx)
	}
	switch {
	case errors.As(err, &ended) && failed != nil: // the cause is the runtime's to tell
		return failed
	case errors.As(err, &ended) && ended.Status.Signal() == unix.SIGKILL:
		return fmt.Errorf("start container %q: %w; if nobody killed it, its memory limit is too low", c.ID, err)
	case errors.As(err, &ended):
		return fmt.Errorf("start container %q: %w; see that this is a program for this machine, and that the filter allows what %s itself calls", c.ID, err, filepath.Base(c.engine.path))
	case err != nil:
		return err
	}
	return failed
}

// judge waits for the service's program and lets it run when Check agrees.
// From then on signals are the service's.
func (c *container) judge(ctx context.Context, held *observe.Tracee, signals *relay) error {
	if err := held.UntilExec(); err != nil {
		return err
	}
	if c.Check != nil {
		if err := c.Check(ctx, c.pid); err != nil {
			return err
		}
	}
	if !signals.forward(c.pid, c.pidfd) {
		return context.Cause(ctx)
	}
	return held.Release()
}
