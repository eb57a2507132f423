//go:build e2e

package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// A block is a fenced block of README.md.
type block struct{ kind, text string }

func readme(t *testing.T) []block {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(repo, "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	var blocks []block
	for _, m := range regexp.MustCompile("(?ms)^```([a-z]+)\n(.*?)^```$").FindAllStringSubmatch(string(data), -1) {
		blocks = append(blocks, block{m[1], m[2]})
	}
	if len(blocks) < 5 {
		t.Fatalf("README.md has %d blocks", len(blocks))
	}
	return blocks
}

// Every command that README.md gives for everyday use is run, in its order, on
// a copy of the example. Its ports are fixed, so it has a network of its own.
func TestReadmeCommands(t *testing.T) {
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS(filepath.Join(repo, "examples/hello"))); err != nil {
		t.Fatal(err)
	}
	example, err := os.ReadFile(filepath.Join(dir, "immure.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	script := "set -euxo pipefail\n"
	for _, b := range readme(t) {
		switch b.kind {
		case "sh":
			// The shell's own ! would take either status.
			script += mustFail.ReplaceAllString(b.text, "if $1; then exit 99; fi")
		case "make":
			if n := strings.Count(b.text, "\n"); n != 3 {
				t.Errorf("the Makefile has %d lines, want 3", n)
			}
			script += "cat >Makefile <<'EOF'\n" + b.text + "EOF\n"
		case "yaml":
			if !strings.Contains(string(example), b.text) {
				t.Errorf("the example's service file is another than README.md shows:\n%s", b.text)
			}
		}
	}
	bin, err := filepath.Abs(filepath.Join(repo, "bin"))
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("bash", "-c", script)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "PATH="+bin+":"+os.Getenv("PATH"))
	out, err := isolated(cmd)
	if err != nil {
		t.Errorf("%v\n%s", err, out)
	}
	for _, want := range []string{"hello, world", "immure: refused: ", "\n+ service resources.memoryMaxBytes"} {
		if !strings.Contains(out, want) {
			t.Errorf("no %q in\n%s", want, out)
		}
	}
}

var mustFail = regexp.MustCompile(`(?m)^! (.*)$`)

// isolated runs a command with a loopback of its own, and with directories of
// state that vanish with it.
func isolated(cmd *exec.Cmd) (out string, err error) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread() // and never unlocked: the thread ends with its namespace
		if err = unix.Unshare(unix.CLONE_NEWNET | unix.CLONE_NEWNS); err != nil {
			return
		}
		if err = errors.Join(raiseLoopback(), unix.Mount("", "/", "", unix.MS_REC|unix.MS_SLAVE, "")); err != nil {
			return
		}
		for _, state := range []string{"/run", "/var/lib"} {
			if err = unix.Mount("tmpfs", state, "tmpfs", unix.MS_NOSUID|unix.MS_NODEV, "mode=0755"); err != nil {
				return
			}
		}
		var data []byte
		data, err = cmd.CombinedOutput()
		out = string(data)
	}()
	<-done
	return out, err
}

func raiseLoopback() error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	lo, err := unix.NewIfreq("lo")
	if err != nil {
		return err
	}
	lo.SetUint16(syscall.IFF_UP)
	return unix.IoctlIfreq(fd, unix.SIOCSIFFLAGS, lo)
}

// What README.md shows of a run is what the demo says today, line by line and
// in this order, but for numbers.
func TestReadmeTranscript(t *testing.T) {
	out, err := ran()
	if err != nil {
		t.Fatal(err)
	}
	said := strings.Split(alike(out), "\n")
	shown := 0
	for _, b := range readme(t) {
		if b.kind != "console" || !strings.Contains(b.text, "refused") {
			continue
		}
		for l := range strings.Lines(b.text) {
			l = strings.TrimSpace(alike(l))
			if l == "" || l == "…" {
				continue
			}
			i := 0
			for i < len(said) && strings.TrimSpace(said[i]) != l {
				i++
			}
			if i == len(said) {
				t.Fatalf("the demo says nowhere, or not in this order: %s", l)
			}
			said = said[i+1:]
			shown++
		}
	}
	if shown < 8 {
		t.Errorf("README.md shows %d lines of the demo", shown)
	}
}

var (
	hexes  = regexp.MustCompile(`:[0-9a-f]{8}…|-[0-9a-f]{8}\b`)
	number = regexp.MustCompile(`[0-9]+`)
	blank  = regexp.MustCompile(` +`)
)

// alike leaves out what differs from one run to the next.
func alike(s string) string {
	return blank.ReplaceAllString(number.ReplaceAllString(hexes.ReplaceAllString(s, ":…"), "N"), " ")
}

// until reads a program's output as far as the line that holds want.
func until(r io.Reader, want string) error {
	in := bufio.NewReader(r)
	for {
		l, err := in.ReadString('\n')
		if strings.Contains(l, want) {
			return nil
		}
		if err != nil {
			return errors.Join(fmt.Errorf("wait for %q", want), err)
		}
	}
}
