// Command testsum reads `go test -json` on standard input and prints what a
// person wants to know: one line a package, and the whole output of every test
// that failed. A skipped test fails the run, and so does a run of no test.
//
// Tests are counted at the leaves: a test with subtests stands for them, unless
// it fails while none of them does. A package that fails without a failing test
// (it does not build, it panics, it times out) counts as one failure.
//
// With IMMURE_TEST_COUNTS set to a file, one line "passed failed skipped" is
// appended to it, so that several runs can be added up.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
)

func main() {
	total, err := summarise(os.Stdin, os.Stdout)
	if err == nil {
		err = record(os.Getenv("IMMURE_TEST_COUNTS"), total)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "testsum:", err)
		os.Exit(2)
	}
	if total.failed > 0 || total.skipped > 0 || total.passed == 0 {
		os.Exit(1)
	}
}

// summarise reads events until the end of r and reports on w.
func summarise(r io.Reader, w io.Writer) (count, error) {
	out := bufio.NewWriter(w)
	s := summary{out: out, running: map[string]*pkg{}, builds: map[string][]string{}}
	lines := bufio.NewReader(r)
	for {
		line, err := lines.ReadBytes('\n')
		if len(line) > 0 {
			s.line(line)
			out.Flush()
		}
		if err == io.EOF {
			break
		}
		if err != nil {
			return count{}, fmt.Errorf("read test events: %w", err)
		}
	}
	s.finish()
	if err := out.Flush(); err != nil {
		return count{}, fmt.Errorf("write summary: %w", err)
	}
	return s.total, nil
}

// line takes one event. What is no event (a message of the go command) passes.
func (s *summary) line(line []byte) {
	var e event
	if err := json.Unmarshal(line, &e); err != nil || e.Action == "" {
		s.out.Write(line)
		return
	}
	s.event(e)
}

func record(file string, total count) error {
	if file == "" {
		return nil
	}
	f, err := os.OpenFile(file, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		return fmt.Errorf("record counts: %w", err)
	}
	if _, err := fmt.Fprintln(f, total.passed, total.failed, total.skipped); err != nil {
		f.Close()
		return fmt.Errorf("record counts: %w", err)
	}
	return f.Close()
}
