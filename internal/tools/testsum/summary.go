package main

import (
	"bufio"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// An event is one line of `go test -json`.
//
// Source: go doc test2json, section "Output Format"; go help buildjson.
type event struct {
	Action      string
	Package     string
	ImportPath  string // of build-output
	Test        string // empty for the package itself
	Elapsed     float64
	Output      string
	FailedBuild string // the ImportPath whose build output says why
}

// A count is of leaf tests.
type count struct{ passed, failed, skipped, packages int }

// A test is one test or subtest. Its result is the action that ended it, or
// empty while it runs.
type test struct {
	result string
	output []string
}

// A pkg is a package under test. The test named "" holds what the package
// itself printed.
type pkg struct {
	order []string
	tests map[string]*test
}

func (p *pkg) test(name string) *test {
	t := p.tests[name]
	if t == nil {
		t = &test{}
		p.tests[name] = t
		p.order = append(p.order, name)
	}
	return t
}

type summary struct {
	out     *bufio.Writer
	running map[string]*pkg
	builds  map[string][]string
	total   count
}

func (s *summary) event(e event) {
	if e.Package == "" {
		if e.Action == "build-output" {
			s.builds[e.ImportPath] = append(s.builds[e.ImportPath], e.Output)
		}
		return
	}
	p := s.running[e.Package]
	if p == nil {
		p = &pkg{tests: map[string]*test{}}
		s.running[e.Package] = p
	}
	t := p.test(e.Test)
	switch e.Action {
	case "output":
		if !strings.HasPrefix(e.Output, "=== ") {
			t.output = append(t.output, e.Output)
		}
	case "pass":
		t.result, t.output = e.Action, nil
	case "fail", "skip":
		t.result = e.Action
	}
	if e.Test == "" && t.result != "" {
		delete(s.running, e.Package)
		s.report(e, p)
	}
}

// report prints and counts a package that has ended.
func (s *summary) report(e event, p *pkg) {
	got := p.count()
	why := s.builds[e.FailedBuild]
	ended := e.Action != "fail"
	if !ended && got.failed == 0 {
		got.failed = 1
	}
	s.total.passed += got.passed
	s.total.failed += got.failed
	s.total.skipped += got.skipped
	if len(p.tests) > 1 || !ended {
		s.total.packages++
		word := "ok  "
		if !ended || got.skipped > 0 {
			word = "FAIL"
		}
		fmt.Fprintf(s.out, "%s  %s  %.1fs  %d passed", word, e.Package, e.Elapsed, got.passed)
		if got.failed+got.skipped > 0 {
			fmt.Fprintf(s.out, ", %d failed, %d skipped", got.failed, got.skipped)
		}
		fmt.Fprintln(s.out)
	}
	for _, line := range why {
		fmt.Fprint(s.out, "    ", line)
	}
	for _, name := range p.order {
		t := p.tests[name]
		if t.result == "pass" || name == "" && ended {
			continue
		}
		for _, line := range t.output {
			fmt.Fprint(s.out, "    ", line)
		}
	}
}

// count counts the leaves, and the parents that failed on their own.
func (p *pkg) count() (c count) {
	parents := map[string]bool{}
	failedBelow := map[string]bool{}
	for name, t := range p.tests {
		for i := strings.LastIndexByte(name, '/'); i > 0; i = strings.LastIndexByte(name[:i], '/') {
			parents[name[:i]] = true
			if t.failed() {
				failedBelow[name[:i]] = true
			}
		}
	}
	for name, t := range p.tests {
		switch {
		case name == "" || failedBelow[name]:
		case t.failed():
			c.failed++
		case parents[name]:
		case t.result == "skip":
			c.skipped++
		default:
			c.passed++
		}
	}
	return c
}

// failed reports whether a test of an ended package failed; one that never
// ended did.
func (t *test) failed() bool { return t.result == "fail" || t.result == "" }

// finish fails what was still running when the events ended, and prints the sum.
func (s *summary) finish() {
	for _, name := range slices.Sorted(maps.Keys(s.running)) {
		s.report(event{Action: "fail", Package: name}, s.running[name])
	}
	t := s.total
	all := t.passed + t.failed + t.skipped
	switch {
	case all == 0:
		fmt.Fprintln(s.out, "no test ran")
	case t.failed+t.skipped > 0:
		fmt.Fprintf(s.out, "of %d tests in %d packages %d failed and %d were skipped; neither is allowed\n",
			all, t.packages, t.failed, t.skipped)
	default:
		fmt.Fprintf(s.out, "all %d tests in %d packages hold\n", all, t.packages)
	}
}
