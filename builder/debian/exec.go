package debian

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"
)

// Bounds on what a program may answer.
const (
	maxOutputBytes = 64 << 20
	maxErrorBytes  = 16 << 10
)

// command prepares a program that dies with ctx, together with whatever it
// started: apt-get's download methods are processes of their own.
func command(ctx context.Context, name string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, name, args...)
	// Messages are read here, so they must be in one language.
	cmd.Env = append(os.Environ(), "LC_ALL=C", "DEBIAN_FRONTEND=noninteractive")
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = 10 * time.Second
	return cmd
}

// run gives a program's standard output, or an error with what it said.
func run(ctx context.Context, dir, name string, args ...string) ([]byte, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	cmd := command(ctx, name, args...)
	cmd.Dir = dir
	stdout := &bounded{limit: maxOutputBytes, full: func() {
		cancel(fmt.Errorf("output is larger than %d bytes", maxOutputBytes))
	}}
	stderr := &bounded{limit: maxErrorBytes}
	cmd.Stdout, cmd.Stderr = stdout, stderr
	err := cmd.Run()
	if cause := context.Cause(ctx); cause != nil {
		return nil, fmt.Errorf("run %s: %w", name, cause)
	}
	if err != nil {
		return nil, &commandError{name, err, complaint(stderr.Bytes()) + unmet(stdout.Bytes())}
	}
	return stdout.Bytes(), nil
}

// A commandError is a program that ended with an error.
type commandError struct {
	name    string
	err     error
	message string // its own words, on one line
}

func (e *commandError) Error() string {
	if e.message == "" {
		return fmt.Sprintf("run %s: %v", e.name, e.err)
	}
	return fmt.Sprintf("run %s: %v: %s", e.name, e.err, e.message)
}

func (e *commandError) Unwrap() error { return e.err }

// complaint joins the lines in which apt or dpkg say what is wrong; all lines
// when none is marked so.
func complaint(stderr []byte) string {
	var all, marked []string
	for line := range strings.Lines(string(stderr)) {
		line = strings.TrimSpace(line)
		if line == "" {
			continue
		}
		all = append(all, line)
		if e, ok := strings.CutPrefix(line, "E: "); ok {
			marked = append(marked, e)
		}
	}
	if len(marked) > 0 {
		all = marked
	}
	return strings.ToValidUTF8(strings.Join(all, "; "), "?")
}

// unmet gives the lines in which apt-get says which dependency is not met: it
// prints those as data.
func unmet(stdout []byte) string {
	var found strings.Builder
	for line := range strings.Lines(string(stdout)) {
		if strings.Contains(line, "Depends: ") && found.Len() < maxErrorBytes {
			found.WriteString("; " + strings.Join(strings.Fields(line), " "))
		}
	}
	return strings.ToValidUTF8(found.String(), "?")
}

// A bounded keeps the first limit bytes written to it and drops the rest.
type bounded struct {
	bytes.Buffer
	limit int
	full  func() // called at the first byte too many
}

func (b *bounded) Write(p []byte) (int, error) {
	if room := b.limit - b.Len(); len(p) > room {
		b.Buffer.Write(p[:room])
		if b.full != nil {
			b.full()
		}
		return len(p), nil
	}
	return b.Buffer.Write(p)
}
