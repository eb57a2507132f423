package servicefile

import (
	"cmp"
	"fmt"
	"slices"
)

// A Position is a place in a service file; both count from one.
type Position struct {
	Line   int
	Column int // in characters
}

// A Problem is one fault of a service file.
type Problem struct {
	File string
	Position
	Text string
}

func (p Problem) String() string {
	return fmt.Sprintf("%s:%d:%d: %s", p.File, p.Line, p.Column, p.Text)
}

// An Error reports a service file that cannot be used.
type Error struct {
	Problems []Problem // never empty, in the order of the file
}

func (e *Error) Error() string {
	msg := e.Problems[0].String()
	if more := len(e.Problems) - 1; more > 0 {
		msg += fmt.Sprintf(" (and %d more)", more)
	}
	return msg
}

// maxProblems bounds what one file is told.
const maxProblems = 20

// problems collects faults of one file, each place once.
type problems struct {
	file  string
	found []Problem
}

func (p *problems) add(at Position, format string, args ...any) {
	if len(p.found) < maxProblems {
		p.found = append(p.found, Problem{File: p.file, Position: at, Text: fmt.Sprintf(format, args...)})
	}
}

// err is what was collected, or nil.
func (p *problems) err() error {
	if len(p.found) == 0 {
		return nil
	}
	slices.SortStableFunc(p.found, func(a, b Problem) int {
		return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
	})
	return &Error{p.found}
}
