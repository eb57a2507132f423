//go:build e2e

package engines_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
)

// One image, one decision: what runs under one runtime runs under the other.
func TestTheServiceRuns(t *testing.T) {
	for _, e := range engines {
		t.Run(e.name, func(t *testing.T) {
			runtime := e.script(t, ".")
			for _, want := range []int{0, 42} {
				status, out, errs := e.end(t, runtime, "engines-status-"+e.name, "-e", fmt.Sprintf("MODE=exit %d", want))
				if status != want || out != "" {
					t.Errorf("status %d, wrote %q, want %d:\n%s", status, out, want, errs)
				}
			}
			e.signals(t, runtime)
		})
	}
}

// signals runs the service that prints them, looks at its walls, and ends it.
func (e engine) signals(t *testing.T, runtime string) {
	t.Helper()
	name := "engines-signals-" + e.name
	cmd := e.run(t, runtime, name, "--json", "-e", "MODE="+name)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	said, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := false
	t.Cleanup(func() {
		if !ended {
			_ = cmd.Process.Signal(syscall.SIGTERM)
			_ = cmd.Wait()
		}
	})
	var running struct{ PID int }
	if err := json.NewDecoder(said).Decode(&running); err != nil {
		t.Fatal(err)
	}
	walls, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", running.PID))
	for _, line := range []string{"Seccomp:\t2", "NoNewPrivs:\t1", "CapEff:\t0000000000000000", "TracerPid:\t0"} {
		if err != nil || !strings.Contains(string(walls), "\n"+line+"\n") {
			t.Errorf("no line %q, %v:\n%s", line, err, walls)
		}
	}
	lines := bufio.NewReader(out)
	for _, step := range []struct {
		said string
		send syscall.Signal
	}{{"ready", syscall.SIGUSR1}, {"got user defined signal 1", syscall.SIGINT}, {"got interrupt", syscall.SIGTERM}} {
		line, err := lines.ReadString('\n')
		if err != nil || line != step.said+"\n" {
			t.Fatalf("said %q, %v, want %q", line, err, step.said)
		}
		if err := cmd.Process.Signal(step.send); err != nil {
			t.Fatal(err)
		}
	}
	ended = true
	if _ = cmd.Wait(); cmd.ProcessState.ExitCode() != 7 {
		t.Errorf("%v, want the service's own status 7", cmd.ProcessState)
	}
}

// A runtime that does not as it is told is found out by what the kernel says,
// before the service, which first of all says that it is ready, has run.
func TestAnotherContainerThanAskedForIsKilled(t *testing.T) {
	for _, e := range engines {
		for _, c := range []struct{ name, filter, facet string }{
			{"no filter", "del(.linux.seccomp)", "syscalls"},
			{"a capability", `.process.capabilities.bounding = ["CAP_NET_RAW"]`, "capabilities.bounding"},
			// With the filter the runtime itself would get nowhere.
			{"new privileges", "del(.linux.seccomp) | .process.noNewPrivileges = false", "noNewPrivileges"},
			{"root", ".process.user.uid = 0", "user.uid"},
			{"the root group", ".process.user.gid = 0", "user.gid"},
			{"a looser umask", ".process.user.umask = 0", "user.umask"},
			{"another program", `.mounts += [{"destination": "/scratch/other", "type": "bind", "source": "` + program(t) + `", "options": ["bind", "ro"]}] | .process.args = ["/scratch/other"]`, "process.executable"},
		} {
			t.Run(e.name+"/"+c.name, func(t *testing.T) {
				name := "engines-wrong-" + e.name
				status, out, errs := e.end(t, e.script(t, c.filter), name, "-e", "MODE="+name)
				if status != 1 || out != "" || !strings.Contains("\n"+errs, "\nimmure: refused: "+c.facet+": ") {
					t.Errorf("status %d, wrote %q, said:\n%s", status, out, errs)
				}
			})
		}
	}
}

// Killed while its service runs, immure leaves nothing.
func TestAKilledRunLeavesNothing(t *testing.T) {
	for _, e := range engines {
		t.Run(e.name, func(t *testing.T) {
			name := "engines-killed-" + e.name
			cmd := e.run(t, e.script(t, "."), name, "-e", "MODE="+name)
			var errs bytes.Buffer
			cmd.Stderr = &errs
			out, err := cmd.StdoutPipe()
			if err != nil {
				t.Fatal(err)
			}
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			if line, err := bufio.NewReader(out).ReadString('\n'); err != nil || line != "ready\n" {
				t.Errorf("said %q, %v:\n%s", line, err, errs.String())
			}
			settle := lockOf(t, name)
			_ = cmd.Process.Kill()
			_ = cmd.Wait()
			settle()
		})
	}
}

// lockOf opens a bundle, and returns what waits until nobody holds it any more.
func lockOf(t *testing.T, name string) func() {
	t.Helper()
	f, err := os.Open("/run/immure/bundles/" + name)
	if err != nil {
		t.Fatal(err)
	}
	return func() {
		defer f.Close()
		if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX); err != nil {
			t.Error(err)
		}
	}
}

// The runtimes are those of the packages: what is not installed is a failure.
func TestRuntimesAreInstalled(t *testing.T) {
	for _, e := range engines {
		if out, err := exec.Command(e.name, "--version").CombinedOutput(); err != nil || !strings.Contains(string(out), e.name) {
			t.Errorf("%s: %v: %s", e.name, err, out)
		}
	}
}
