package runtime

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/immure-dev/immure/internal/reflect"
)

// A container is one on its way from creation to removal.
type container struct {
	Options
	engine    engine
	dir       string // the bundle
	listeners *reflect.Listeners
	reflector *reflect.Reflector // nil without published ports

	// The container's first process, our child. It is not reaped before end, so
	// that its id means no other process for as long as anyone looks at it.
	pid    int
	pidfd  int
	exited chan struct{} // closed when it has ended; nil before it exists

	beside sync.WaitGroup // what is done beside the runtime
}

// call runs the runtime and kills it when ctx ends. Meanwhile is called beside
// it.
func (c *container) call(ctx context.Context, cmd *exec.Cmd, verb string, meanwhile func()) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("%s container %q: %w", verb, c.ID, err)
	}
	c.beside.Go(meanwhile)
	release := context.AfterFunc(ctx, func() { _ = cmd.Process.Kill() })
	err := cmd.Wait()
	if !release() {
		return context.Cause(ctx)
	}
	return c.explain(cmd, verb, err)
}

// explain gives the reason of a call that failed.
func (c *container) explain(cmd *exec.Cmd, verb string, err error) error {
	// A detached run's service writes to a log, which its starter does not show.
	told := cmd.Stderr != nil && !detached()
	if err := c.engine.explain(verb, filepath.Join(c.dir, logFile), err, told); err != nil {
		return fmt.Errorf("%s container %q: %w", verb, c.ID, err)
	}
	return nil
}

// create has the runtime set everything up but not run the service.
func (c *container) create(ctx context.Context, meanwhile func()) error {
	pids := filepath.Join(c.dir, pidFile)
	cmd := c.engine.command(filepath.Join(c.dir, logFile), "create", "--bundle", c.dir, "--pid-file", pids, c.ID)
	// A nil *os.File in an interface is not nil.
	if c.Stdin != nil {
		cmd.Stdin = c.Stdin
	}
	if c.Stdout != nil {
		cmd.Stdout = c.Stdout
	}
	if c.Stderr != nil {
		cmd.Stderr = c.Stderr
	}
	hold, err := holdCgroups(c.StateDir)
	if err != nil {
		return err
	}
	err = c.call(ctx, cmd, "create", meanwhile)
	hold.Close()
	if err != nil {
		return err
	}
	pid, err := readPID(pids)
	if errors.Is(err, errNoPID) {
		return fmt.Errorf("create container %q: %q ended without an error and made none, so it is no OCI runtime; use runc: apt-get install runc", c.ID, c.engine.path)
	}
	if err != nil {
		return err
	}
	pidfd, err := unix.PidfdOpen(pid, 0)
	if err != nil {
		return fmt.Errorf("open process of container %q: %w", c.ID, err)
	}
	// Only a child of ours can be waited for, and only an unreaped child's id
	// cannot have passed to another process.
	if err := isChild(pidfd); err != nil {
		unix.Close(pidfd)
		return fmt.Errorf("wait for process %d of container %q: %w", pid, c.ID, err)
	}
	// Nor is another child of ours meant, as the keeper is: config.json asks for a
	// pid namespace of the container's own.
	if err := elsewhere(pid); err != nil {
		unix.Close(pidfd)
		return fmt.Errorf("find process %d of container %q: %w", pid, c.ID, err)
	}
	c.pid, c.pidfd, c.exited = pid, pidfd, make(chan struct{})
	go func() {
		defer close(c.exited)
		// Not by waitid(2), to which the kernel reports what only the tracer is to see.
		fds := []unix.PollFd{{Fd: int32(pidfd), Events: unix.POLLIN}}
		for {
			if _, err := unix.Poll(fds, -1); err != unix.EINTR {
				return
			}
		}
	}()
	return nil
}

// elsewhere wants a process, unless it has ended, to be in another pid namespace
// than this one.
func elsewhere(pid int) error {
	ours, err := os.Readlink("/proc/self/ns/pid")
	if err != nil {
		return err
	}
	theirs, err := os.Readlink(fmt.Sprintf("/proc/%d/ns/pid", pid))
	if err == nil && theirs == ours {
		return errors.New("it is in no pid namespace of its own, so it is not the container's")
	}
	return nil
}

func isChild(pidfd int) error {
	for {
		err := unix.Waitid(unix.P_PIDFD, pidfd, nil, unix.WEXITED|unix.WNOHANG|unix.WNOWAIT, nil)
		if err != unix.EINTR {
			return err
		}
	}
}

func (c *container) alive() bool {
	fds := []unix.PollFd{{Fd: int32(c.pidfd), Events: unix.POLLIN}}
	n, _ := unix.Poll(fds, 0) // interrupted, nothing has been seen
	return n < 1
}

// wait waits for the service to end by itself; anything else is an error.
func (c *container) wait(ctx context.Context) error {
	var reflected <-chan struct{}
	if c.reflector != nil {
		reflected = c.reflector.Done()
	}
	select {
	case <-c.exited:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-reflected:
		if c.alive() {
			return errors.New("publish ports: the reflector has ended; the service was stopped")
		}
		<-c.exited
		return nil
	}
}

// end kills what still runs, reaps the service and returns its status, in the
// shell's form. A service that was killed in place of another signal has that
// one's.
func (c *container) end(inPlaceOf syscall.Signal) int {
	status := noStatus
	if c.exited != nil {
		_ = unix.PidfdSendSignal(c.pidfd, unix.SIGKILL, nil, 0) // fails when it is dead
		<-c.exited
		var ws unix.WaitStatus
		var err error
		for {
			if _, err = unix.Wait4(c.pid, &ws, 0, nil); err != unix.EINTR {
				break
			}
		}
		unix.Close(c.pidfd)
		switch {
		case err != nil:
		case ws.Signaled() && ws.Signal() == unix.SIGKILL && inPlaceOf != 0:
			status = 128 + int(inPlaceOf)
		case ws.Signaled():
			status = 128 + int(ws.Signal())
		default:
			status = ws.ExitStatus()
		}
	}
	if c.reflector != nil {
		c.reflector.Close()
	}
	return status
}
