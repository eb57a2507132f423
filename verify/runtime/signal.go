package runtime

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"sync"
	"syscall"
	"time"

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

// Whoever sends SIGINT or SIGTERM so often within so long means it: a service
// that does not take them is killed.
const (
	insistCount  = 3
	insistWithin = 10 * time.Second
)

// An interruptedError reports a signal that came before the service ran.
type interruptedError struct{ signal syscall.Signal }

func (e *interruptedError) Error() string {
	return fmt.Sprintf("run container: interrupted by %s before the service started", unix.SignalName(e.signal))
}

// A relay hands this process's signals on to the service.
type relay struct {
	from   chan os.Signal
	cancel context.CancelCauseFunc
	rest   sync.Once // to catch all signals

	mu      sync.Mutex
	pid     int // of the service, not reaped before release
	pidfd   int
	started bool           // pid and pidfd are valid
	ended   bool           // interrupted before it was started
	asked   []time.Time    // the last SIGINTs and SIGTERMs
	stopped syscall.Signal // in whose place the service was killed; 0 for none
}

// startRelay catches signals from now on. Until forward, one that would end
// this process ends the returned context instead.
func startRelay(ctx context.Context) (*relay, context.Context) {
	ctx, cancel := context.WithCancelCause(ctx)
	r := &relay{from: make(chan os.Signal, lastSignal), cancel: cancel}
	r.take(ending...)
	go func() {
		for s := range r.from {
			r.handle(s)
		}
	}()
	return r, ctx
}

// all catches the signals too that mean nothing before there is a service. Each
// costs the Go runtime a change of threads, so it is called when there is time.
func (r *relay) all() {
	r.rest.Do(func() {
		for s := syscall.Signal(1); s <= lastSignal; s++ {
			if !slices.Contains(kept, s) && !slices.Contains(ending, os.Signal(s)) {
				r.take(s)
			}
		}
	})
}

func (r *relay) take(signals ...os.Signal) {
	for _, s := range signals {
		if !signal.Ignored(s) {
			signal.Notify(r.from, s)
		}
	}
}

func (r *relay) handle(s os.Signal) {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch number := s.(syscall.Signal); {
	case r.started:
		_ = unix.PidfdSendSignal(r.pidfd, r.choose(number, time.Now()), nil, 0) // fails when it is dead
	case slices.Contains(ending, s):
		r.ended = true
		r.cancel(&interruptedError{signal: number})
	}
}

// choose returns what to send to the service for a signal. One that ends a
// process by default, and for which the service arranged nothing, is to end it:
// the kernel spares the first process of a pid namespace what would end any
// other.
func (r *relay) choose(s syscall.Signal, now time.Time) syscall.Signal {
	if !slices.Contains(ending, os.Signal(s)) {
		return s
	}
	insisted := r.insists(s, now)
	switch stanceOf(r.pid, s) {
	case byDefault:
		r.stopped = s
		return unix.SIGKILL
	case untaken:
		if insisted {
			return unix.SIGKILL
		}
	}
	return s
}

// insists counts SIGINTs and SIGTERMs, and is true for one that is the last of
// many within a short time.
func (r *relay) insists(s syscall.Signal, now time.Time) bool {
	if s != unix.SIGINT && s != unix.SIGTERM {
		return false
	}
	r.asked = append(r.asked, now)
	if len(r.asked) > insistCount {
		r.asked = r.asked[1:]
	}
	return len(r.asked) == insistCount && now.Sub(r.asked[0]) <= insistWithin
}

// forward sends what comes from now on to the service. It is false when the
// run has been interrupted already.
func (r *relay) forward(pid, pidfd int) bool {
	r.all()
	r.mu.Lock()
	defer r.mu.Unlock()
	r.pid, r.pidfd, r.started = pid, pidfd, !r.ended
	return r.started
}

// release ends forwarding, before the process is reaped. It returns the signal
// in whose place the service was killed, or 0.
func (r *relay) release() syscall.Signal {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.started = false
	return r.stopped
}

// stop gives the signals back, without waiting for each.
func (r *relay) stop() {
	go func() {
		signal.Stop(r.from)
		close(r.from)
	}()
	r.cancel(nil)
}
