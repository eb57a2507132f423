package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"time"
)

// stopTime is how long a program may take to clean up after an interrupt.
const stopTime = 30 * time.Second

// A result is how a command ended.
type result struct {
	stdout, stderr string
	status         int
	took           time.Duration
}

// command is immure with arguments, as a person would type it in the demo's
// directory.
func (d *demo) command(ctx context.Context, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, filepath.Join(d.repo, "bin", "immure"), args...)
	cmd.Dir = d.dir
	cmd.Env = append(os.Environ(), "COSIGN_PASSWORD=only for the demo", "TMPDIR="+d.path("tmp"))
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = stopTime
	return cmd
}

// immure shows a command and runs it to its end, whatever its status.
func (d *demo) immure(ctx context.Context, args ...string) (result, error) {
	d.printf("$ immure %s\n", line(args))
	return d.quietly(ctx, args...)
}

func (d *demo) quietly(ctx context.Context, args ...string) (result, error) {
	var stdout, stderr bytes.Buffer
	cmd := d.command(ctx, args...)
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	began := time.Now()
	err := cmd.Run()
	r := result{stdout.String(), stderr.String(), cmd.ProcessState.ExitCode(), time.Since(began)}
	var exit *exec.ExitError
	if ctx.Err() != nil {
		return r, ctx.Err()
	}
	if err != nil && (!errors.As(err, &exit) || r.status < 0) {
		return r, fmt.Errorf("run immure %s: %w", args[0], err)
	}
	return r, nil
}

// done is immure for what must succeed; its answer is shown.
func (d *demo) done(ctx context.Context, args ...string) (result, error) {
	r, err := d.immure(ctx, args...)
	d.show(r.stderr)
	d.show(r.stdout)
	return r, cmpStatus(r, err, args)
}

func cmpStatus(r result, err error, args []string) error {
	if err == nil && r.status != 0 {
		err = fmt.Errorf("immure %s: status %d, want 0: %s", line(args), r.status, strings.TrimSpace(r.stderr))
	}
	return err
}

// show prints an answer beneath its command.
func (d *demo) show(text string) {
	for l := range strings.Lines(text) {
		d.printf("  %s\n", clip(short(strings.TrimRight(l, "\n"))))
	}
}

func (d *demo) chapter(title string) { d.printf("\n== %s\n", title) }

// line is arguments as a shell takes them, digests shortened.
func line(args []string) string {
	quoted := make([]string, len(args))
	for i, a := range args {
		quoted[i] = a
		if strings.ContainsAny(a, " *") {
			quoted[i] = "'" + a + "'"
		}
	}
	return short(strings.Join(quoted, " "))
}

var digests = regexp.MustCompile(`((?:sha256|immureTree1):[0-9a-f]{8})[0-9a-f]{56}`)

// short shortens digests, so that a line fits a terminal.
func short(s string) string { return digests.ReplaceAllString(s, "$1…") }

// clip ends a line that is too long to be read at a glance.
func clip(s string) string {
	const most = 190
	if r := []rune(s); len(r) > most {
		return string(r[:most-1]) + "…"
	}
	return s
}
