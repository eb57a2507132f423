// Command immure builds minimal read-only service images with their boundary
// baked in, signs them, and refuses to run what is not within its signed
// boundary.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"runtime/debug"
	"strings"
	"syscall"
	"unicode"

	"github.com/immure-dev/immure/builder/servicefile"
	"github.com/immure-dev/immure/verify"
	"github.com/immure-dev/immure/verify/runtime"
)

// The exit statuses of every command. After a service has started, run passes
// on the service's own.
const (
	statusDone      = 0
	statusRefused   = 1
	statusUndecided = 2
)

// gcPercent lets a short command end before its first collection, which would
// otherwise come at four megabytes.
const gcPercent = 400

func main() {
	if runtime.Child() {
		return
	}
	debug.SetGCPercent(gcPercent)
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	status := execute(ctx, os.Args[1:])
	stop()
	os.Exit(status)
}

func execute(ctx context.Context, args []string) int {
	root := newRoot()
	root.SetArgs(args)
	return report(root.ExecuteContext(ctx))
}

// An exitError ends the program with a status and says nothing more.
type exitError int

func (e exitError) Error() string { return fmt.Sprintf("exit status %d", int(e)) }

// report prints an error as one line for each reason, and gives its status.
func report(err error) int {
	var (
		exit    exitError
		refused *verify.RefusedError
		faults  *servicefile.Error
	)
	switch {
	case err == nil:
		return statusDone
	case errors.As(err, &exit):
		return int(exit)
	case errors.As(err, &refused):
		for _, r := range refused.Refusals {
			fmt.Fprintf(os.Stderr, "immure: refused: %s\n", oneLine(r.String()))
		}
		return statusRefused
	case errors.As(err, &faults):
		for _, p := range faults.Problems {
			fmt.Fprintf(os.Stderr, "immure: %s\n", oneLine(p.String()))
		}
		return statusUndecided
	case errors.Is(err, context.Canceled):
		fmt.Fprintln(os.Stderr, "immure: interrupted")
		return statusUndecided
	}
	fmt.Fprintf(os.Stderr, "immure: %s\n", indented(err.Error()))
	return statusUndecided
}

// maxErrorLines bounds what is shown of an error: a compiler says much.
const maxErrorLines = 60

// indented keeps the lines of an error apart from those that this program
// begins itself: its text may come from a registry.
func indented(text string) string {
	lines := strings.Split(strings.TrimRight(text, "\n"), "\n")
	if len(lines) > maxErrorLines {
		lines = append(lines[:maxErrorLines], "…")
	}
	for i, l := range lines {
		lines[i] = oneLine(strings.ReplaceAll(l, "\t", "    "))
	}
	return strings.Join(lines, "\n    ")
}

// oneLine keeps what comes from outside from breaking a line or a terminal.
func oneLine(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r) || r == '\u2028' || r == '\u2029' {
			return '\ufffd'
		}
		return r
	}, s)
}
