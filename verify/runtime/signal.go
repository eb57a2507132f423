package runtime

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"
)

// kept are the signals that stay ours: they cannot be caught (9, 19), report on
// our own children, sockets and code, are the Go runtime's and the C library's
// (23, 32 to 34), or belong to the terminal's job control.
var kept = []syscall.Signal{
	unix.SIGKILL, unix.SIGSTOP, unix.SIGCHLD, unix.SIGPIPE, unix.SIGURG, unix.SIGPROF,
	unix.SIGSEGV, unix.SIGBUS, unix.SIGFPE, unix.SIGILL, unix.SIGTRAP, unix.SIGSYS, unix.SIGABRT,
	unix.SIGTSTP, unix.SIGTTIN, unix.SIGTTOU, 32, 33, 34,
}

// ending are the signals that end a run whose service has not started yet.
var ending = []os.Signal{unix.SIGINT, unix.SIGTERM, unix.SIGHUP, unix.SIGQUIT}

// lastSignal is the last real-time signal (signal(7)).
const lastSignal = 64

// An InterruptedError reports a signal that came before the service ran.
type InterruptedError struct{ Signal syscall.Signal }

func (e *InterruptedError) Error() string {
	return fmt.Sprintf("run container: interrupted by %s before the service started", unix.SignalName(e.Signal))
}

// A relay hands this process's signals on to the service.
type relay struct {
	from   chan os.Signal
	done   chan struct{}
	cancel context.CancelCauseFunc

	mu      sync.Mutex
	pidfd   int  // of the service
	started bool // pidfd is valid
	ended   bool // interrupted before it was started
}

// startRelay catches signals from now on. Until forward, one that would end
// this process ends the returned context instead.
func startRelay(ctx context.Context) (*relay, context.Context) {
	ctx, cancel := context.WithCancelCause(ctx)
	r := &relay{from: make(chan os.Signal, lastSignal), done: make(chan struct{}), cancel: cancel}
	for s := syscall.Signal(1); s <= lastSignal; s++ {
		if !slices.Contains(kept, s) && !signal.Ignored(s) {
			signal.Notify(r.from, s)
		}
	}
	go func() {
		defer close(r.done)
		for s := range r.from {
			r.handle(s)
		}
	}()
	return r, ctx
}

func (r *relay) handle(s os.Signal) {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch number := s.(syscall.Signal); {
	case r.started:
		_ = unix.PidfdSendSignal(r.pidfd, number, nil, 0) // fails when it is dead
	case slices.Contains(ending, s):
		r.ended = true
		r.cancel(&InterruptedError{Signal: number})
	}
}

// forward sends what comes from now on to the service. It is false when the
// run has been interrupted already.
func (r *relay) forward(pidfd int) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.pidfd, r.started = pidfd, !r.ended
	return r.started
}

// release ends forwarding, before the descriptor is closed.
func (r *relay) release() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.started = false
}

func (r *relay) stop() {
	signal.Stop(r.from)
	close(r.from)
	<-r.done
	r.cancel(nil)
}
