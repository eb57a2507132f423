// Command bench measures the figures that this project holds itself to, each
// side by side with the program it is compared with: cosign, ko, runc, and
// SHA-256 itself.
//
//	bench [-n 20] [-only rebuild,verify,…] [-record docs/benchmarks.md]
//
// Machines are shared and noisy, so nothing is judged by a time alone. The
// contestants take turns, each turn begins with another of them, and medians are
// compared. A figure that misses its goal is printed as missed: it is a finding,
// not a failure, and the exit status stays 0. A contestant that does not do its
// work is a failure: status 1. Wrong use, or a program that is missing: 2.
//
// Measuring tools belong here; what is measured belongs elsewhere.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
)

// A section measures one group of figures.
type section struct {
	name string
	run  func(ctx context.Context, b *bed, r *report) error
}

var sections = []section{
	{"rebuild", rebuild},
	{"verify", verifying},
	{"run", running},
	{"sizes", sizes},
	{"digest", digest},
}

type options struct {
	turns  int
	only   []string
	record string
}

var errUse = errors.New("wrong use")

// as are what this program does when it starts itself for another one.
var as = map[string]func(argv []string) error{measuredArg: measured, watchedArg: watched}

func main() {
	if len(os.Args) > 2 && as[os.Args[1]] != nil {
		if err := as[os.Args[1]](os.Args[2:]); err != nil {
			fmt.Fprintln(os.Stderr, "bench:", err)
			os.Exit(1)
		}
		return
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := start(ctx, os.Args[1:])
	stop()
	switch {
	case errors.Is(err, flag.ErrHelp):
	case errors.Is(err, errUse):
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(2)
	case err != nil:
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func start(ctx context.Context, args []string) error {
	o, err := parse(args)
	if err != nil {
		return err
	}
	b, err := newBed(ctx, o.turns)
	if err != nil {
		return err
	}
	text, err := measure(ctx, b, o.only)
	err = errors.Join(err, b.Close())
	if err != nil || o.record == "" {
		return err
	}
	return record(o.record, text)
}

func parse(args []string) (o options, err error) {
	f := flag.NewFlagSet("bench", flag.ContinueOnError)
	f.IntVar(&o.turns, "n", 20, "turns of each contestant, after two that do not count")
	only := f.String("only", "", "sections to run, with commas between: "+strings.Join(names(), ", "))
	f.StringVar(&o.record, "record", "", "replace the output that this Markdown file holds")
	if err := f.Parse(args); err != nil {
		return o, errors.Join(err, errUse)
	}
	if *only != "" {
		o.only = strings.Split(*only, ",")
	}
	for _, name := range o.only {
		if !slices.Contains(names(), name) {
			return o, fmt.Errorf("%w: no section %q: there are %s", errUse, name, strings.Join(names(), ", "))
		}
	}
	if f.NArg() > 0 || o.turns < 1 {
		return o, fmt.Errorf("%w: bench takes no arguments, and at least one turn", errUse)
	}
	if o.record != "" && o.only != nil {
		return o, fmt.Errorf("%w: only a whole run is recorded", errUse)
	}
	return o, nil
}

func names() []string {
	var all []string
	for _, s := range sections {
		all = append(all, s.name)
	}
	return all
}

// measure runs the sections and returns what they printed.
func measure(ctx context.Context, b *bed, only []string) (string, error) {
	var text strings.Builder
	r := &report{out: io.MultiWriter(os.Stdout, &text)}
	if err := r.machine(ctx, b); err != nil {
		return "", err
	}
	for _, s := range sections {
		if only != nil && !slices.Contains(only, s.name) {
			continue
		}
		if err := s.run(ctx, b, r); err != nil {
			return "", fmt.Errorf("%s: %w", s.name, err)
		}
	}
	r.summary()
	return text.String(), r.err
}
