package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"runtime"
	"strconv"
	"strings"
	"unicode/utf8"

	"golang.org/x/sys/unix"
)

// A report prints sections as they come and keeps the figures for the end.
type report struct {
	out     io.Writer
	figures []figure
	err     error // the first of writing
}

// A figure is a goal and what was measured.
type figure struct {
	what           string
	goal, measured float64 // at most the goal
	unit           string
}

func (f figure) verdict() string {
	if f.measured <= f.goal {
		return "reached"
	}
	return "missed"
}

func (r *report) printf(format string, args ...any) {
	if _, err := fmt.Fprintf(r.out, format, args...); err != nil && r.err == nil {
		r.err = fmt.Errorf("print: %w", err)
	}
}

func (r *report) title(format string, args ...any) { r.printf("\n== "+format+"\n", args...) }

// commands prints the command lines of a race.
func (r *report) commands(b *bed, all []series) {
	for _, s := range all {
		for _, c := range s.commands {
			r.printf("%-*s $ %s\n", width(all), s.name, b.show(c))
		}
	}
}

func width(all []series) int {
	w := 0
	for _, s := range all {
		w = max(w, len(s.name))
	}
	return w
}

// table prints medians and quartiles, then every value.
func (r *report) table(all []series) {
	w := width(all)
	r.printf("%-*s  median ms  quartiles ms      least ms", w, "")
	programs := all[0].work == nil
	if programs {
		r.printf("   cpu ms  memory MB")
	}
	r.printf("\n")
	for _, s := range all {
		v := s.of(wall)
		r.printf("%-*s  %9.1f  %7.1f  %7.1f  %8.1f", w, s.name, median(v), quantile(v, 0.25), quantile(v, 0.75), quantile(v, 0))
		if programs {
			r.printf("  %7.1f  %9.1f", median(s.of(cpu)), median(s.of(memory)))
		}
		r.printf("\n")
	}
	if programs {
		r.printf("no peak of less than %.1f MB can be seen\n", quantile(all[0].of(floor), 1))
	}
	r.raw("ms", all, wall)
	if programs {
		r.raw("MB", all, memory)
	}
}

// raw prints every value, in the order of the turns.
func (r *report) raw(unit string, all []series, measure func(sample) float64) {
	for _, s := range all {
		r.printf("raw %s  %-*s", unit, width(all), s.name)
		for _, v := range s.of(measure) {
			r.printf(" %.1f", v)
		}
		r.printf("\n")
	}
}

// figure prints a goal and whether it was reached.
func (r *report) figure(what string, goal, measured float64, unit string) {
	f := figure{what, goal, measured, unit}
	r.figures = append(r.figures, f)
	r.printf("%s: %s: goal at most %s, measured %s\n", f.verdict(), what, number(goal, unit), number(measured, unit))
}

func number(v float64, unit string) string {
	switch unit {
	case "×":
		return strconv.FormatFloat(v, 'f', 2, 64) + unit
	case "hosts":
		return strconv.FormatFloat(v, 'f', 0, 64) + " " + unit
	}
	return strconv.FormatFloat(v, 'f', 1, 64) + " " + unit
}

// summary lists all figures.
func (r *report) summary() {
	r.title("figures")
	w := 0
	for _, f := range r.figures {
		w = max(w, utf8.RuneCountInString(f.what))
	}
	r.printf("%-*s  %9s  %9s\n", w, "", "at most", "measured")
	for _, f := range r.figures {
		r.printf("%-*s  %9s  %9s  %s\n", w, f.what, number(f.goal, f.unit), number(f.measured, f.unit), f.verdict())
	}
	r.printf("load %s (1, 5 and 15 minutes), after\n", load())
}

// machine names what everything ran on.
func (r *report) machine(ctx context.Context, b *bed) error {
	r.title("machine")
	r.printf("processor  %s, %d cores\n", processor(), runtime.NumCPU())
	var u unix.Utsname
	if err := unix.Uname(&u); err != nil {
		return fmt.Errorf("name machine: %w", err)
	}
	r.printf("kernel     Linux %s\n", unix.ByteSliceToString(u.Release[:]))
	r.printf("load       %s (1, 5 and 15 minutes), before\n", load())
	r.printf("Go         %s\n", runtime.Version())
	for _, p := range []struct {
		name string
		argv []string
	}{
		{"runc", []string{b.runc, "--version"}},
		{"immure", []string{b.immure, "--version"}},
	} {
		out, err := b.output(ctx, p.argv...)
		if err != nil {
			return err
		}
		first, _, _ := strings.Cut(out, "\n")
		r.printf("%-10s %s\n", p.name, strings.TrimPrefix(first, p.name+" "))
	}
	for _, p := range []struct{ name, path string }{{"cosign", b.cosign}, {"ko", b.ko}} {
		version, err := peerVersion(p.path)
		if err != nil {
			return err
		}
		r.printf("%-10s %s\n", p.name, version)
	}
	r.printf("method     %d turns of each after %d that do not count, interleaved; medians; times from the start of a process\n", b.turns, warmUps)
	r.printf("           to its end, memory as ru_maxrss\n")
	return r.err
}

// load is what else the machine was busy with, this program included.
// Source: proc_loadavg(5).
func load() string {
	data, err := os.ReadFile("/proc/loadavg")
	if fields := strings.Fields(string(data)); err == nil && len(fields) >= 3 {
		return strings.Join(fields[:3], " ")
	}
	return "unknown"
}

// processor is the model in /proc/cpuinfo.
func processor() string {
	f, err := os.Open("/proc/cpuinfo")
	if err != nil {
		return runtime.GOARCH
	}
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		if key, value, ok := strings.Cut(lines.Text(), ":"); ok && strings.TrimSpace(key) == "model name" {
			return strings.TrimSpace(value)
		}
	}
	return runtime.GOARCH
}
