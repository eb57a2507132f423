package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"
)

// A service is an `immure run` in the background.
type service struct {
	cmd   *exec.Cmd
	addr  string // of its published port on the host
	ready time.Duration
	ended chan error
	once  func() (int, error)
}

var listens = regexp.MustCompile(`^immure: .* listens on (\S+) for \d+/tcp$`)

// start runs an image and returns once its port is published.
func (d *demo) start(ctx context.Context, args ...string) (*service, error) {
	args = append([]string{"run"}, args...)
	d.printf("$ immure %s &\n", line(args))
	// Interrupted by stop alone: close sees to that, in its order.
	s := &service{cmd: d.command(context.WithoutCancel(ctx), args...), ended: make(chan error, 1)}
	s.once = sync.OnceValues(s.end)
	stderr, err := s.cmd.StderrPipe()
	if err != nil {
		return nil, err
	}
	began := time.Now()
	if err := s.cmd.Start(); err != nil {
		return nil, err
	}
	d.running = append(d.running, s)
	published := make(chan string, 1)
	said := &tail{}
	go func() {
		in := bufio.NewScanner(io.TeeReader(stderr, said))
		for in.Scan() {
			if m := listens.FindStringSubmatch(in.Text()); m != nil {
				d.show(in.Text())
				published <- m[1]
				break
			}
		}
		_, _ = io.Copy(said, stderr) // what the service says later
		s.ended <- s.cmd.Wait()
	}()
	select {
	case s.addr = <-published:
		s.ready = time.Since(began)
		return s, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	case err := <-s.ended:
		s.ended <- err
		return nil, fmt.Errorf("immure %s: ended before its service listened (%w): %s", line(args), err, said)
	}
}

// stop asks the service to end and waits until nothing of it is left.
func (s *service) stop() (status int, err error) { return s.once() }

// end asks again and again: the first process of a container does not see what
// comes before it listens for it (pid_namespaces(7)).
func (s *service) end() (int, error) {
	again, enough := time.NewTicker(time.Second), time.NewTimer(stopTime)
	defer again.Stop()
	defer enough.Stop()
	var err error
	for ended := false; !ended; {
		_ = s.cmd.Process.Signal(syscall.SIGTERM) // it may have ended already
		select {
		case err = <-s.ended:
			ended = true
		case <-again.C:
		case <-enough.C:
			_ = s.cmd.Process.Kill() // its keeper cleans up
		}
	}
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		return -1, err
	}
	return s.cmd.ProcessState.ExitCode(), nil
}

// finish stops a service whose status must be 0.
func (d *demo) finish(s *service) error {
	status, err := s.stop()
	d.running = slices.DeleteFunc(d.running, func(r *service) bool { return r == s })
	if err == nil && status != 0 {
		err = fmt.Errorf("the service at %s ended with status %d when asked to end, want 0", s.addr, status)
	}
	return err
}

// A tail keeps the first kilobytes of what a service says.
type tail struct {
	mu   sync.Mutex
	kept bytes.Buffer
}

const maxTail = 4 << 10

func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.kept.Write(p[:min(len(p), maxTail-t.kept.Len())])
	return len(p), nil
}

func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return strings.TrimSpace(t.kept.String())
}
