//go:build e2e

package hostile_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// state is where immure keeps what runs.
const state = "/run/immure"

// run runs a fixture's service, or what claims to be it, to its end, in a store
// of its own.
func run(tb testing.TB, f *fixture, ref string, more ...string) result {
	tb.Helper()
	return immure(tb, append([]string{"run", ref, "--key", f.public, "--store", filepath.Join(tb.TempDir(), "store")}, more...)...)
}

// A running is a service that was started.
type running struct {
	cmd    *exec.Cmd
	out    *bufio.Reader
	said   *os.File
	errs   *bytes.Buffer
	status chan int

	ID      string
	PID     int
	Publish []struct {
		Host netip.AddrPort
	}
}

// begin starts immure run.
func begin(tb testing.TB, f *fixture, more ...string) *running {
	tb.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	r := &running{errs: new(bytes.Buffer), status: make(chan int, 1)}
	r.cmd = command(tb, ctx, append([]string{"run", f.ref(), "--key", f.public, "--json"}, more...)...)
	out, outW, err := os.Pipe()
	must(tb, err)
	errs, errsW, err := os.Pipe()
	must(tb, err)
	r.cmd.Stdout, r.cmd.Stderr = outW, errsW
	r.out, r.said = bufio.NewReader(out), errs
	must(tb, r.cmd.Start())
	outW.Close()
	errsW.Close()
	tb.Cleanup(func() {
		_ = r.cmd.Process.Signal(syscall.SIGTERM) // it may have ended
		r.wait()
		cancel()
		out.Close()
		errs.Close()
	})
	go func() {
		_ = r.cmd.Wait() // its status says what there is to say
		r.status <- r.cmd.ProcessState.ExitCode()
	}()
	return r
}

// listen waits until immure says that the service runs, in JSON, or has said
// why it does not.
func (r *running) listen() {
	if err := json.NewDecoder(io.TeeReader(r.said, r.errs)).Decode(r); err == nil {
		go func() { _, _ = io.Copy(io.Discard, r.said) }() // until it ends
		return
	}
	_, _ = io.Copy(r.errs, r.said) // all that there is
}

// start begins a run and waits until it says that it is ready.
func start(tb testing.TB, f *fixture, more ...string) *running {
	tb.Helper()
	r := begin(tb, f, append([]string{"--store", filepath.Join(tb.TempDir(), "store")}, more...)...)
	r.listen()
	if r.PID == 0 {
		tb.Fatalf("the service did not start, status %d:\n%s", r.wait(), r.errs.String())
	}
	return r
}

// says waits for a line of the service's output.
func (r *running) says(tb testing.TB, want string) {
	tb.Helper()
	for {
		line, err := r.out.ReadString('\n')
		if strings.Contains(line, want) {
			return
		}
		if err != nil {
			tb.Fatalf("the service ended and never said %q", want)
		}
	}
}

// wait returns the exit status.
func (r *running) wait() int {
	status := <-r.status
	r.status <- status
	return status
}

func (r *running) signal(tb testing.TB, s syscall.Signal) {
	tb.Helper()
	must(tb, r.cmd.Process.Signal(s))
}

// settled waits until nobody holds the container's bundle any more: whoever
// cleans up holds it to the end.
func settled(tb testing.TB, name string) {
	tb.Helper()
	f, err := os.Open(filepath.Join(state, "bundles", name))
	if err != nil {
		return // it is gone
	}
	defer f.Close()
	must(tb, unix.Flock(int(f.Fd()), unix.LOCK_EX))
}

// nothingLeft wants no trace of a container: no bundle, no runtime state, no
// cgroup, no mount, no process.
func nothingLeft(tb testing.TB, name string) {
	tb.Helper()
	for _, what := range append(left(tb, name), there(filepath.Join(state, "bundles", name))...) {
		tb.Errorf("left %s", what)
	}
}

// nothingRuns is nothingLeft but for a bundle that no runtime has seen: a run
// that is killed before it has a keeper leaves that to the next.
func nothingRuns(tb testing.TB, name string) {
	tb.Helper()
	for _, what := range left(tb, name) {
		tb.Errorf("left %s", what)
	}
}

// nothingStays waits for another run, of whatever test, to have cleaned up.
func nothingStays(tb testing.TB, name string) {
	tb.Helper()
	deadline := time.Now().Add(time.Minute)
	for time.Now().Before(deadline) && len(append(left(tb, name), there(filepath.Join(state, "bundles", name))...)) > 0 {
		time.Sleep(20 * time.Millisecond)
	}
	nothingLeft(tb, name)
}

// left lists what there is of a container.
func left(tb testing.TB, name string) (all []string) {
	tb.Helper()
	for _, dir := range []string{"runc", "crun"} {
		all = append(all, there(filepath.Join(state, dir, name))...)
	}
	for _, pattern := range []string{"/sys/fs/cgroup/immure/", "/sys/fs/cgroup/*/immure/"} {
		cgroups, err := filepath.Glob(pattern + name)
		must(tb, err)
		all = append(all, cgroups...)
	}
	mounts, err := os.ReadFile("/proc/self/mountinfo")
	must(tb, err)
	for line := range strings.Lines(string(mounts)) {
		if strings.Contains(line, name) {
			all = append(all, "mount "+line)
		}
	}
	for _, p := range processes(name) {
		all = append(all, fmt.Sprintf("process %d", p))
	}
	return all
}

// there is the path, if there is something at it.
func there(path string) []string {
	if _, err := os.Lstat(path); err != nil {
		return nil
	}
	return []string{path}
}

// processes are those with a word in their arguments.
func processes(words ...string) []int {
	var found []int
	all, _ := filepath.Glob("/proc/[0-9]*/cmdline")
next:
	for _, path := range all {
		data, err := os.ReadFile(path)
		if err != nil {
			continue // it has ended
		}
		args := strings.Split(string(data), "\x00")
		for _, w := range words {
			if !slices.Contains(args, w) {
				continue next
			}
		}
		pid, err := strconv.Atoi(filepath.Base(filepath.Dir(path)))
		if err == nil {
			found = append(found, pid)
		}
	}
	return found
}
