package oci

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/opencontainers/runtime-spec/specs-go"

	"github.com/immure-dev/immure/harden/grant"
	"github.com/immure-dev/immure/harden/order"
)

// literal returns the only text that a pattern stands for.
func literal(p grant.Pattern) (string, bool) {
	texts, ok := grant.ArgsOf(p).Literals()
	if !ok {
		return "", false
	}
	return texts[0], true
}

func (w *writer) process() (err error) {
	p := w.spec.Process
	if p.Args, err = w.args(); err != nil {
		return fmt.Errorf("args: %w", err)
	}
	if p.Cwd, err = w.cwd(); err != nil {
		return fmt.Errorf("cwd: %w", err)
	}
	if p.Env, err = w.env(); err != nil {
		return fmt.Errorf("env: %w", err)
	}
	if w.in.Terminal && !w.b.Process.Descriptors.Covers("terminal") {
		return fmt.Errorf("descriptors: a terminal is not granted")
	}
	if !w.b.Process.Descriptors.Covers("stdio") {
		return fmt.Errorf("descriptors: a runtime always passes stdio, and it is not granted")
	}
	// Of the scores permitted, the one nearest to zero.
	lo, hi := w.b.Process.OOMScoreAdj.Bounds()
	score := int(min(max(0, lo), hi))
	if score < -1000 || score > 1000 {
		return fmt.Errorf("oomScoreAdj: %s holds nothing between -1000 and 1000", w.b.Process.OOMScoreAdj)
	}
	p.OOMScoreAdj = &score
	return w.exacts()
}

func (w *writer) args() ([]string, error) {
	granted := w.b.Process.Args
	args, ok := granted.Literals()
	if w.in.Args != nil {
		args, ok = w.in.Args, true
	}
	if !ok || len(args) == 0 {
		return nil, fmt.Errorf("the boundary leaves %s open; choose the arguments", granted)
	}
	if over := grant.LiteralArgs(args...).Over(granted); over != nil {
		return nil, fmt.Errorf("%q is not within %s", args, granted)
	}
	return slices.Clone(args), nil
}

func (w *writer) cwd() (string, error) {
	granted := w.b.Process.Cwd
	cwd := w.in.Cwd
	if members := granted.Members(); cwd == "" && len(members) == 1 {
		cwd, _ = literal(members[0])
	}
	if cwd == "" && granted.Covers("/") {
		cwd = "/"
	}
	if cwd == "" || !granted.Covers(grant.Literal(cwd)) {
		return "", fmt.Errorf("%q is not within %s; choose a directory", cwd, granted)
	}
	if !clean(cwd) || order.Beneath(cwd, "/proc") {
		return "", fmt.Errorf("%q is not absolute and clean, or lies under /proc", cwd)
	}
	return cwd, nil
}

// env takes the variables given and, of the others, those that the boundary
// spells out.
func (w *writer) env() ([]string, error) {
	var out []string
	named := make(map[string]bool)
	for _, e := range w.in.Env {
		name, _, ok := strings.Cut(e, "=")
		if !ok || name == "" || named[name] {
			return nil, fmt.Errorf("%q is not NAME=value, or named twice", e)
		}
		if !w.b.Process.Env.Covers(grant.Env(grant.Literal(e))) {
			return nil, fmt.Errorf("%q is not within %s", e, w.b.Process.Env)
		}
		named[name] = true
		out = append(out, e)
	}
	for _, granted := range w.b.Process.Env.Members() {
		e, ok := literal(grant.Pattern(granted))
		name, _, whole := strings.Cut(e, "=")
		if ok && whole && !named[name] {
			named[name] = true
			out = append(out, e)
		}
	}
	slices.Sort(out)
	return out, nil
}

// exacts writes what a boundary states as a whole; "none" and "any" ask for
// nothing.
func (w *writer) exacts() error {
	p, l := w.spec.Process, w.spec.Linux
	for _, e := range []struct {
		facet string
		from  order.Exact
		to    any
	}{
		{"scheduler", w.b.Process.Scheduler, &p.Scheduler},
		{"ioPriority", w.b.Process.IOPriority, &p.IOPriority},
		{"cpuAffinity", w.b.Process.CPUAffinity, &p.ExecCPUAffinity},
		{"personality", w.b.Process.Personality, &l.Personality},
		{"memoryPolicy", w.b.Process.MemoryPolicy, &l.MemoryPolicy},
		{"timeOffsets", w.b.Process.TimeOffsets, &l.TimeOffsets},
		{"intelRdt", w.b.Process.IntelRdt, &l.IntelRdt},
	} {
		if e.from == order.None || e.from == order.Any {
			continue
		}
		if err := json.Unmarshal([]byte(e.from), e.to); err != nil {
			return fmt.Errorf("%s: %q: %w", e.facet, string(e.from), err)
		}
	}
	return nil
}

// rlimits writes the limits that are finite.
func (w *writer) rlimits() error {
	for _, name := range grant.RlimitNames {
		l := w.b.Rlimits[name]
		soft, hard := infinite(l.Soft), infinite(l.Hard)
		if soft == math.MaxUint64 && hard == math.MaxUint64 {
			continue
		}
		w.spec.Process.Rlimits = append(w.spec.Process.Rlimits, specs.POSIXRlimit{Type: name, Soft: min(soft, hard), Hard: hard})
	}
	return nil
}

// infinite returns RLIM_INFINITY for a limit without a number.
func infinite(l order.Limit) uint64 {
	n, ok := l.Value()
	if !ok {
		return math.MaxUint64
	}
	return uint64(n)
}
