//go:build e2e

package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/immure-dev/immure/verify/runtime"
)

// repo is the directory of the sources.
const repo = "../.."

// ran is one run of the demo, for all tests of what it says.
var ran = sync.OnceValues(func() (out string, err error) {
	dir, err := os.MkdirTemp("", "immure-demo-test-")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(dir)
	program, err := buildDemo(dir)
	if err != nil {
		return "", err
	}
	cmd := exec.Command(program)
	cmd.Dir, cmd.Env = repo, append(os.Environ(), "TMPDIR="+dir)
	var all bytes.Buffer
	cmd.Stdout, cmd.Stderr = &all, &all
	err = cmd.Run()
	if left, _ := filepath.Glob(filepath.Join(dir, "immure-demo-*")); len(left) > 0 {
		err = errors.Join(err, fmt.Errorf("left behind: %s", left))
	}
	return all.String(), err
})

func buildDemo(dir string) (string, error) {
	program := filepath.Join(dir, "demo")
	return program, exec.Command("go", "build", "-o", program, ".").Run()
}

func TestDemo(t *testing.T) {
	before := containers(t)
	out, err := ran()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if n := strings.Count(out, "\n"); n > 120 {
		t.Errorf("%d lines, want at most 120", n)
	}
	if n := strings.Count(out, "immure: refused: "); n < 8 {
		t.Errorf("%d refusals, want at least 8", n)
	}
	for _, want := range []string{"\nimage, uncompressed ", "\nsystem calls allowed ", "\nrefused: 16 of 16 attempts"} {
		if !strings.Contains(out, want) {
			t.Errorf("the table lacks %q:\n%s", want, out)
		}
	}
	for _, id := range containers(t) {
		service, _, _ := strings.Cut(id, "-")
		if (service == hello || service == redis) && !slices.Contains(before, id) {
			t.Errorf("container %s is left", id)
		}
	}
}

// containers lists what immure has running.
func containers(t *testing.T) []string {
	t.Helper()
	entries, err := os.ReadDir(filepath.Join(runtime.DefaultStateDir, "bundles"))
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	var ids []string
	for _, e := range entries {
		ids = append(ids, e.Name())
	}
	return ids
}

// An interrupt ends it without a trace.
func TestDemoInterrupted(t *testing.T) {
	dir := t.TempDir()
	program, err := buildDemo(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, after := range []string{"$ immure keygen", "$ immure build", " listens on "} {
		t.Run(after, func(t *testing.T) {
			tmp := t.TempDir()
			cmd := exec.Command(program)
			cmd.Dir, cmd.Env = repo, append(os.Environ(), "TMPDIR="+tmp)
			stdout, err := cmd.StdoutPipe()
			if err != nil {
				t.Fatal(err)
			}
			var stderr bytes.Buffer
			cmd.Stderr = &stderr
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			if err := until(stdout, after); err != nil {
				t.Error(err)
			}
			if err := cmd.Process.Signal(syscall.SIGINT); err != nil {
				t.Error(err)
			}
			// All of the rest is read, or the program waits for its reader.
			rest := new(bytes.Buffer)
			_, _ = rest.ReadFrom(stdout)
			if err := cmd.Wait(); cmd.ProcessState.ExitCode() != statusFailed {
				t.Errorf("got %v, want status %d: %s", err, statusFailed, stderr.String())
			}
			if got := stderr.String(); got != "demo: interrupted\n" {
				t.Errorf("said %q", got)
			}
			if left, err := os.ReadDir(tmp); err != nil || len(left) > 0 {
				t.Errorf("left behind: %v (%v)", left, err)
			}
		})
	}
}

// Who is not root is told so, and nothing happens.
func TestDemoNeedsRoot(t *testing.T) {
	dir, err := os.MkdirTemp("", "immure-demo-test-")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	program, err := buildDemo(dir)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(program)
	cmd.Dir = "/"
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	out, _ := cmd.CombinedOutput()
	if got := cmd.ProcessState.ExitCode(); got != statusUnable {
		t.Errorf("status %d, want %d", got, statusUnable)
	}
	if got := string(out); !strings.HasPrefix(got, "demo: containers are started as root") || strings.Count(got, "\n") != 1 {
		t.Errorf("said %q", got)
	}
}
