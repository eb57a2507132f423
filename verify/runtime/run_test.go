package runtime

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// pipe returns a pipe for one of the service's streams; both ends are closed
// with the test.
func pipe(t *testing.T) (r, w *os.File) {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close(); w.Close() })
	return r, w
}

// output runs a container and returns its status and what it wrote.
func output(t *testing.T, o Options) (int, string) {
	t.Helper()
	r, w := pipe(t)
	o.Stdout = w
	text := make(chan string)
	go func() {
		b, _ := io.ReadAll(r)
		text <- string(b)
	}()
	status, err := Run(t.Context(), o)
	w.Close()
	out := <-text
	if err != nil {
		t.Fatal(err)
	}
	return status, out
}

func TestRunPassesOnTheStatus(t *testing.T) {
	for _, want := range []int{0, 3, 255} {
		t.Run(fmt.Sprint(want), func(t *testing.T) {
			o := sandbox(t, "status", "exit", fmt.Sprint(want))
			started := false
			o.Started = func(r Running) { started = r.ID == "status" && r.PID > 1 }
			if got, err := Run(t.Context(), o); got != want || err != nil {
				t.Errorf("got status %d, %v, want %d", got, err, want)
			}
			if !started {
				t.Error("Started was not called")
			}
		})
	}
}

func TestRunConnectsTheStreams(t *testing.T) {
	o := sandbox(t, "streams", "copy")
	r, w := pipe(t)
	o.Stdin = r
	go func() {
		fmt.Fprint(w, "through the container")
		w.Close()
	}()
	if status, out := output(t, o); status != 0 || out != "through the container" {
		t.Errorf("got status %d, output %q", status, out)
	}
}

// Sockets and readiness channels of the caller's service manager, and files
// that it left open, must not reach the service.
func TestRunHandsOnNothing(t *testing.T) {
	t.Setenv("LISTEN_FDS", "1")
	t.Setenv("LISTEN_PID", fmt.Sprint(os.Getpid()))
	t.Setenv("NOTIFY_SOCKET", "/run/notify")
	fd, err := unix.Open("/etc", unix.O_RDONLY|unix.O_DIRECTORY, 0) // without O_CLOEXEC
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	if _, out := output(t, sandbox(t, "env", "env")); strings.TrimSpace(out) != "[PATH=/usr/bin HOME=/]" { // HOME is runc's
		t.Errorf("the service's environment: %s", out)
	}
	_, out := output(t, sandbox(t, "descriptors", "descriptors"))
	if strings.Contains(out, "/etc") || strings.Contains(out, "pipe:") || strings.Contains(out, "socket:") {
		t.Errorf("the service's descriptors:\n%s", out)
	}
}

func TestTheBundleIsPrivate(t *testing.T) {
	o := sandbox(t, "private", "exit", "0")
	o.Check = func(context.Context, int) error {
		dir := bundlePath(o.StateDir, o.ID)
		if info, err := os.Stat(dir); err != nil || info.Mode().Perm() != 0o700 {
			t.Errorf("bundle: %v, %v", info.Mode(), err)
		}
		if b, err := os.ReadFile(dir + "/config.json"); err != nil || string(b) != string(o.Config) {
			t.Errorf("config.json is not what was judged: %v", err)
		}
		return nil
	}
	if _, err := Run(t.Context(), o); err != nil {
		t.Error(err)
	}
}

func TestAKilledServiceGives128AndTheSignal(t *testing.T) {
	o := sandbox(t, "killed", "wait")
	o.Started = func(r Running) { unix.Kill(r.PID, unix.SIGKILL) }
	if status, err := Run(t.Context(), o); status != 137 || err != nil {
		t.Errorf("got status %d, %v", status, err)
	}
}

func TestTheContextEndsTheService(t *testing.T) {
	o := sandbox(t, "cancelled", "wait")
	ctx, cancel := context.WithCancel(t.Context())
	o.Started = func(Running) { cancel() }
	if _, err := Run(ctx, o); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

func TestANameIsUsedOnce(t *testing.T) {
	o := sandbox(t, "twice", "wait")
	ctx, cancel := context.WithCancel(t.Context())
	o.Started = func(Running) {
		defer cancel()
		if err := CleanStale(o.StateDir); err != nil {
			t.Error(err)
		}
		if _, err := Run(t.Context(), o); err == nil || !strings.Contains(err.Error(), "running") {
			t.Errorf("the second of one name: %v", err)
		}
		other := o
		other.StateDir = t.TempDir() + "/state"
		if _, err := Run(t.Context(), other); err == nil || !strings.Contains(err.Error(), "in use") {
			t.Errorf("a second of one cgroup: %v", err)
		}
	}
	if _, err := Run(ctx, o); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v: the first was disturbed", err)
	}
}

// The runtime writes its reason to the standard error that it hands on.
func TestAFailedCreateSaysWhyOnce(t *testing.T) {
	o := sandbox(t, "mount", "wait")
	r, w := pipe(t)
	o.Stderr = w
	o.Config = config(t, o.Rootfs, o.ID, func(c map[string]any) {
		c["mounts"] = append(c["mounts"].([]any), map[string]any{"destination": "/proc/x", "type": "bind", "source": "/absent", "options": []string{"bind"}})
	})
	_, err := Run(t.Context(), o)
	if err == nil {
		t.Fatal("a mount of nothing succeeded")
	}
	fmt.Fprintln(w, err)
	w.Close()
	b, _ := io.ReadAll(r)
	reason := map[string]string{"runc": "stat /absent", "crun": "stat'ing file `/absent`"}[engineName()]
	if n := strings.Count(string(b), reason); n != 1 || !strings.Contains(err.Error(), "reason") {
		t.Errorf("the reason is there %d times:\n%s", n, b)
	}
}

func TestAProgramThatIsNoRuntimeIsNamed(t *testing.T) {
	for _, path := range []string{"/bin/true", "/bin/false"} {
		o := sandbox(t, "no-runtime", "wait")
		o.Runtime = path
		if _, err := Run(t.Context(), o); err == nil || !strings.Contains(err.Error(), strconv.Quote(path)) || !strings.Contains(err.Error(), "no OCI runtime") {
			t.Errorf("%s: got %v", path, err)
		}
	}
}

func TestAFailedCreateLeavesNothing(t *testing.T) {
	o := sandbox(t, "failed", "wait")
	o.Stderr = nil
	o.Config = config(t, o.Rootfs, o.ID, func(c map[string]any) {
		c["process"].(map[string]any)["args"] = []string{"/absent"}
	})
	if _, err := Run(t.Context(), o); err == nil || !strings.Contains(err.Error(), "/absent") || strings.Contains(err.Error(), "\n") || strings.Count(err.Error(), engineName()+" create") != 1 {
		t.Errorf("got %v, want the runtime's reason once, on one line", err)
	}
}

// What came before signals were caught here counts still.
func TestAnInterruptedRunStartsNothing(t *testing.T) {
	o := sandbox(t, "interrupted", "exit", "0")
	o.Interrupted = func() error { return context.Canceled }
	o.Check = func(context.Context, int) error { t.Error("a container was made"); return nil }
	if status, err := Run(t.Context(), o); !errors.Is(err, context.Canceled) {
		t.Errorf("got status %d and %v", status, err)
	}
	wantNothingLeft(t, o)
}
