//go:build e2e

package hostile_test

import (
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

// immure is killed at any moment of a run: whatever ran is gone soon after, the
// same name runs again, and then nothing is left at all.
func TestKilledRunLeavesNothing(t *testing.T) {
	f := service(t)
	store := filepath.Join(t.TempDir(), "store")
	for i := range 10 {
		name := fmt.Sprintf("hostile-killed-%d", i)
		r := launchAndKill(t, f, time.Duration(rand.Int64N(int64(300*time.Millisecond))), "--store", store, "--name", name, "-p", "0:8080")
		if status := r.wait(); status != -1 {
			t.Errorf("ended with status %d before it was killed:\n%s", status, r.errs.String())
		}
		settled(t, name)
		nothingRuns(t, name)
		immure(t, "run", f.ref(), "--key", f.public, "--store", store, "--name", name, "-e", "MODE=exit 0").allowed(t)
		nothingLeft(t, name)
	}
}

// launchAndKill kills immure after a while, wherever it is then.
func launchAndKill(tb testing.TB, f *fixture, after time.Duration, more ...string) *running {
	tb.Helper()
	kill := make(chan *running, 1)
	timer := time.AfterFunc(after, func() {
		r := <-kill
		_ = r.cmd.Process.Kill() // it may have ended
	})
	tb.Cleanup(func() { timer.Stop() })
	r := begin(tb, f, more...)
	kill <- r
	r.listen()
	return r
}

// Killed together with the process that cleans up after it, a run leaves its
// container; the next run, of whatever name, removes it first.
func TestNextRunCleansUp(t *testing.T) {
	f := service(t)
	const name = "hostile-stale"
	r := start(t, f, "--name", name)
	r.says(t, "ready")
	keepers := processes("immure-keeper", name)
	if len(keepers) != 1 {
		t.Fatalf("%d keepers", len(keepers))
	}
	must(t, syscall.Kill(keepers[0], syscall.SIGKILL))
	must(t, r.cmd.Process.Kill())
	r.wait()
	run(t, f, f.ref(), "--name", "hostile-after", "-e", "MODE=exit 0").allowed(t)
	nothingStays(t, name)
	nothingLeft(t, "hostile-after")
}

// An interrupt before the service has started ends the run with a reason, and
// nothing is left of it; afterwards it is the service's.
func TestInterruptedRun(t *testing.T) {
	f := service(t)
	store := filepath.Join(t.TempDir(), "store")
	for i := range 6 {
		name := fmt.Sprintf("hostile-interrupted-%d", i)
		r := begin(t, f, "--store", store, "--name", name)
		timer := time.AfterFunc(time.Duration(rand.Int64N(int64(200*time.Millisecond))), func() { _ = r.cmd.Process.Signal(syscall.SIGTERM) })
		r.listen()
		timer.Stop()
		if r.PID != 0 {
			// It may have come before the service asked for it: the kernel keeps
			// such a signal from the first process of a pid namespace.
			r.says(t, "ready")
			_ = r.cmd.Process.Signal(syscall.SIGTERM) // it may have ended
		}
		// -1: in its first milliseconds no program catches what ends it.
		if status := r.wait(); status != 2 && status != 7 && status != -1 {
			t.Errorf("ended with status %d:\n%s", status, r.errs.String())
		}
		nothingLeft(t, name)
	}
}
