package runtime

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	goruntime "runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// A helper is a process of its own that runs one container.
type helper struct {
	cmd   *exec.Cmd
	lines *bufio.Scanner
	o     Options
}

func helperArg(t *testing.T, o Options, hold bool) string {
	t.Helper()
	arg, err := json.Marshal(helperOptions{
		StateDir: o.StateDir, ID: o.ID, Rootfs: o.Rootfs, Config: string(o.Config), Runtime: o.Runtime, Hold: hold,
	})
	if err != nil {
		t.Fatal(err)
	}
	return string(arg)
}

// withoutPtrace runs a container in a process without CAP_SYS_PTRACE, which
// fails, and returns what it said.
func withoutPtrace(t *testing.T, o Options) string {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	// The name for the helper is argv[0], which only a shell's exec can choose.
	cmd := exec.Command("setpriv", "--bounding-set", "-sys_ptrace", "--inh-caps", "-sys_ptrace",
		"bash", "-c", `exec -a "$0" "$@"`, helperName, self, helperArg(t, o, false))
	out, err := cmd.CombinedOutput()
	if err == nil {
		t.Error("it succeeded")
	}
	return string(out)
}

func startHelper(t *testing.T, o Options, hold bool) *helper {
	t.Helper()
	r, w := pipe(t)
	held, _ := pipe(t)
	h := &helper{
		cmd:   &exec.Cmd{Path: "/proc/self/exe", Args: []string{helperName, helperArg(t, o, hold)}, Stdin: held, Stdout: w, Stderr: os.Stderr},
		lines: bufio.NewScanner(r), o: o,
	}
	if err := h.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	w.Close()
	return h
}

// until reads the helper's output up to a line.
func (h *helper) until(t *testing.T, line string) {
	t.Helper()
	for h.lines.Scan() {
		if h.lines.Text() == line {
			return
		}
	}
	t.Fatalf("the helper ended before %q", line)
}

// kill kills the helper, and waits until nobody holds the bundle any more.
func (h *helper) kill(t *testing.T) {
	t.Helper()
	dir, err := os.Open(bundlePath(h.o.StateDir, h.o.ID))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
	h.cmd.Process.Kill()
	h.cmd.Wait()
	if err != nil { // it may have been made since
		dir, err = os.Open(bundlePath(h.o.StateDir, h.o.ID))
	}
	if err == nil {
		if err := unix.Flock(int(dir.Fd()), unix.LOCK_EX); err != nil {
			t.Fatal(err)
		}
		dir.Close()
	}
}

func TestAKilledRunLeavesNothing(t *testing.T) {
	for _, at := range []string{"judged", "started", "ready"} {
		t.Run(at, func(t *testing.T) {
			h := startHelper(t, sandbox(t, "killed", "wait"), at == "judged")
			h.until(t, at)
			h.kill(t)
		})
	}
}

// The moments are told by what has come to be; the kill comes right behind.
// Until the run has a keeper, what it made is a bundle that no runtime saw,
// which stays for the next run. From then on nothing stays.
func TestARunKilledAtAnyMomentLeavesNothing(t *testing.T) {
	bundle, own := filepath.Join(bundlesDir, "moment"), filepath.Join(engineDir, "moment")
	for _, c := range []struct {
		path string // in the state directory
		by   string
	}{
		{"", "the next run"},
		{bundle, "the next run"},
		{filepath.Join(bundle, configFile), "the next run"},
		{filepath.Join(bundle, runtimeFile), "the next run"},
		{filepath.Join(bundle, logFile), "the keeper"}, // the runtime has been started
		{own, "the keeper"},
		{filepath.Join(own, runcState), "the keeper"},
		{filepath.Join(own, "exec.fifo"), "the keeper"},
		{filepath.Join(bundle, pidFile), "the keeper"},
	} {
		t.Run(strings.ReplaceAll(c.path, "/", "_"), func(t *testing.T) {
			o := sandbox(t, "moment", "wait")
			h := startHelper(t, o, false)
			h.untilExists(t, filepath.Join(o.StateDir, c.path))
			h.kill(t)
			if c.by == "the next run" {
				if entries, err := os.ReadDir(filepath.Join(o.StateDir, engineDir)); err == nil && len(entries) > 0 {
					t.Errorf("the runtime's state is left: %v", entries)
				}
				if err := CleanStale(o.StateDir); err != nil {
					t.Error(err)
				}
			}
			wantNothingLeft(t, o)
		})
	}
}

// untilExists waits for a file that the helper makes.
func (h *helper) untilExists(t *testing.T, path string) {
	t.Helper()
	pidfd, err := unix.PidfdOpen(h.cmd.Process.Pid, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(pidfd)
	for {
		if _, err := os.Lstat(path); err == nil {
			return
		}
		if !(&container{pidfd: pidfd}).alive() {
			t.Fatalf("the helper ended before it made %q", path)
		}
		goruntime.Gosched()
	}
}

// slowRuntime is runc, stopped at the end of one step until it is killed.
func slowRuntime(t *testing.T, step string) string {
	t.Helper()
	runc, err := exec.LookPath("runc")
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "runc")
	script := fmt.Sprintf("#!/bin/sh\ncase \"$*\" in\n*' %s '*) %s \"$@\"; echo stopped; kill -STOP $$;;\n*) exec %s \"$@\";;\nesac\n", step, runc, runc)
	if err := os.WriteFile(path, []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	return path
}

// The runtime has made the container, and its caller dies before it knows.
func TestARunKilledDuringCreateLeavesNothing(t *testing.T) {
	o := sandbox(t, "during-create", "wait")
	o.Runtime = slowRuntime(t, "create")
	h := startHelper(t, o, false)
	h.until(t, "stopped")
	h.kill(t)
	wantNothingLeft(t, o)
}

// Two interrupts while the runtime makes the container: it is made all the same.
func TestARunInterruptedDuringCreateLeavesNothing(t *testing.T) {
	o := sandbox(t, "interrupted-create", "wait")
	o.Runtime = slowRuntime(t, "create")
	h := startHelper(t, o, false)
	h.until(t, "stopped")
	h.cmd.Process.Signal(unix.SIGINT)
	h.cmd.Process.Signal(unix.SIGINT)
	h.cmd.Wait()
	if status := h.cmd.ProcessState.ExitCode(); status != 98 {
		t.Errorf("got status %d, want the helper's 98 for an error", status)
	}
	wantNothingLeft(t, o)
}

// startsWith makes a runtime whose start is a line of shell instead.
func startsWith(t *testing.T, instead string) string {
	t.Helper()
	return doesInstead(t, "start", instead)
}

func doesInstead(t *testing.T, step, instead string) string {
	t.Helper()
	real := testEngine
	if real == "" {
		real = "/usr/bin/env runc"
	}
	path := filepath.Join(t.TempDir(), engineName())
	script := fmt.Sprintf("#!/bin/sh\ncase \"$*\" in\n*' %s '*) %s;;\n*) exec %s \"$@\";;\nesac\n", step, instead, real)
	if err := os.WriteFile(path, []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	return path
}

// The created process waits for a start that never comes, held by its tracer.
func TestARunEndedDuringStartLeavesNothing(t *testing.T) {
	for _, signal := range []syscall.Signal{unix.SIGINT, unix.SIGKILL} {
		t.Run(unix.SignalName(signal), func(t *testing.T) {
			o := sandbox(t, "during-start", "wait")
			mark := filepath.Join(t.TempDir(), "mark")
			o.Runtime = startsWith(t, ": >"+mark+"; kill -STOP $$")
			h := startHelper(t, o, false)
			h.untilExists(t, mark)
			if signal == unix.SIGKILL {
				h.kill(t)
				return
			}
			h.cmd.Process.Signal(signal)
			h.cmd.Wait()
			if status := h.cmd.ProcessState.ExitCode(); status != 98 {
				t.Errorf("got status %d, want the helper's 98 for an error", status)
			}
		})
	}
}

func TestAFailedStartEndsTheRun(t *testing.T) {
	for name, instead := range map[string]string{
		"failed": "exit 3",
		"killed": "kill -KILL $$",
	} {
		t.Run(name, func(t *testing.T) {
			o := sandbox(t, "no-start", "wait")
			o.Runtime = startsWith(t, instead)
			o.Started = func(Running) { t.Error("it was started") }
			if _, err := Run(t.Context(), o); err == nil || !strings.Contains(err.Error(), `start container "no-start": `+engineName()+" start: ") {
				t.Errorf("got %v", err)
			}
		})
	}
}

// keeperOf finds the keeper of a container by its arguments.
func keeperOf(t *testing.T, o Options) int {
	t.Helper()
	for pid, args := range processesOf(o) {
		if strings.HasPrefix(args, keeperName) {
			n, err := strconv.Atoi(pid)
			if err != nil {
				t.Fatal(err)
			}
			return n
		}
	}
	t.Fatal("no keeper runs")
	return 0
}

func TestCleanStaleMendsWhatAKilledKeeperLeft(t *testing.T) {
	for _, frozen := range []bool{false, true} {
		t.Run(fmt.Sprintf("frozen=%v", frozen), func(t *testing.T) {
			o := sandbox(t, "both", "wait")
			h := startHelper(t, o, false)
			h.until(t, "ready")
			if frozen {
				e, _ := readEngine(o.StateDir, o.ID)
				if out, err := exec.Command(e.path, "--root", e.root, "pause", o.ID).CombinedOutput(); err != nil {
					t.Fatalf("%v: %s", err, out)
				}
			}
			if err := unix.Kill(keeperOf(t, o), unix.SIGKILL); err != nil {
				t.Fatal(err)
			}
			h.kill(t)
			if why := slices.Collect(maps.Values(processesOf(o))); !slices.Contains(why, "in the cgroup") {
				t.Fatalf("the service is dead already, so nothing is shown: %q", why)
			}
			if err := CleanStale(o.StateDir); err != nil {
				t.Error(err)
			}
			wantNothingLeft(t, o)
		})
	}
}

// A dead run's name can be used again at once.
func TestAcquireCleansADeadRun(t *testing.T) {
	o := sandbox(t, "again", "wait")
	h := startHelper(t, o, false)
	h.until(t, "ready")
	if err := unix.Kill(keeperOf(t, o), unix.SIGKILL); err != nil {
		t.Fatal(err)
	}
	h.kill(t)
	o.Started = func(r Running) { unix.Kill(r.PID, unix.SIGKILL) }
	if status, err := Run(t.Context(), o); status != 137 || err != nil {
		t.Errorf("got status %d, %v", status, err)
	}
}

func TestDetach(t *testing.T) {
	o := sandbox(t, "detached", "signals")
	running, status, err := Detach(t.Context(), []string{helperArg(t, o, false)})
	if err != nil || status != 0 || running.ID != o.ID {
		t.Fatalf("got %+v, status %d, %v", running, status, err)
	}
	if args, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", running.RunPID)); err != nil || !strings.HasPrefix(string(args), detachedName+"\x00") {
		t.Errorf("process %d, which takes signals, is %q, %v", running.RunPID, args, err)
	}
	dir, err := os.Open(bundlePath(o.StateDir, o.ID))
	if err != nil {
		t.Fatal(err)
	}
	defer dir.Close()
	if err := unix.Kill(running.PID, unix.SIGKILL); err != nil {
		t.Fatal(err)
	}
	if err := unix.Flock(int(dir.Fd()), unix.LOCK_EX); err != nil {
		t.Fatal(err)
	}
	for pid := range processesOf(o) { // about to end: the lock was the last it held
		n, _ := strconv.Atoi(pid)
		if fd, err := unix.PidfdOpen(n, 0); err == nil {
			if err := waitDead(fd, killWait); err != nil {
				t.Error(err)
			}
			unix.Close(fd)
		}
	}
	b, err := os.ReadFile(LogPath(o.StateDir, o.ID))
	if err != nil || !strings.HasSuffix(string(b), "immure: ended with status 137\n") {
		t.Errorf("log: %v\n%s", err, b)
	}
}

func TestDetachReportsAFailedStart(t *testing.T) {
	_, status, err := Detach(t.Context(), []string{`{"ID":"/"}`})
	if err == nil || status != 98 {
		t.Errorf("got status %d, %v", status, err)
	}
}
