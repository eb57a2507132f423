package grant

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/immure-dev/immure/harden/canon"
	"github.com/immure-dev/immure/harden/order"
)

// Args is a command line, one [Pattern] for each argument, or "any". The zero
// value is not stated.
type Args struct {
	any      bool
	patterns []Pattern // nil: not stated
}

// ArgsOf is the command line of the given patterns.
func ArgsOf(patterns ...Pattern) Args {
	return Args{patterns: append(make([]Pattern, 0, len(patterns)), patterns...)}
}

// LiteralArgs is the command line of exactly these arguments.
func LiteralArgs(args ...string) Args {
	a := ArgsOf()
	for _, s := range args {
		a.patterns = append(a.patterns, Literal(s))
	}
	return a
}

// AnyArgs is the top of the order.
func AnyArgs() Args { return Args{any: true} }

// Literals returns the arguments when every pattern stands for one text.
func (a Args) Literals() ([]string, bool) {
	args := make([]string, 0, len(a.patterns))
	for _, p := range a.patterns {
		text, prefix, err := p.split()
		if prefix || err != nil {
			return nil, false
		}
		args = append(args, text)
	}
	return args, a.patterns != nil
}

// Patterns returns the patterns; nil for "any".
func (a Args) Patterns() []Pattern { return append([]Pattern(nil), a.patterns...) }

// Check reports a command line that is not stated, empty or malformed.
func (a Args) Check() error {
	if a.any {
		return nil
	}
	if a.patterns == nil {
		return order.ErrNotStated
	}
	if len(a.patterns) == 0 {
		return fmt.Errorf("no arguments: the first is the program")
	}
	for _, p := range a.patterns {
		if err := p.Check(); err != nil {
			return err
		}
	}
	return nil
}

// Over returns a's text when limit does not cover it.
func (a Args) Over(limit Args) []string {
	if limit.covers(a) {
		return nil
	}
	return []string{a.String()}
}

func (a Args) covers(b Args) bool {
	if a.any {
		return b.any || b.patterns != nil
	}
	if a.patterns == nil || b.patterns == nil || len(a.patterns) != len(b.patterns) {
		return false
	}
	for i, p := range a.patterns {
		if !p.Covers(b.patterns[i]) {
			return false
		}
	}
	return true
}

// Meet returns the command lines of both.
func (a Args) Meet(b Args) (Args, error) {
	switch {
	case a.any:
		return b, nil
	case b.any:
		return a, nil
	case len(a.patterns) != len(b.patterns):
		return Args{}, order.ErrConflict
	}
	out := ArgsOf()
	for i, p := range a.patterns {
		c, ok := p.Common(b.patterns[i])
		if !ok {
			return Args{}, order.ErrConflict
		}
		out.patterns = append(out.patterns, c)
	}
	return out, nil
}

func (a Args) String() string {
	switch {
	case a.any:
		return order.Any
	case a.patterns == nil:
		return order.ErrNotStated.Error()
	}
	texts := make([]string, len(a.patterns))
	for i, p := range a.patterns {
		texts[i] = fmt.Sprintf("%q", string(p))
	}
	return "[" + strings.Join(texts, " ") + "]"
}

// MarshalJSON writes an array of patterns, or "any".
func (a Args) MarshalJSON() ([]byte, error) {
	if a.any {
		return json.Marshal(order.Any)
	}
	if a.patterns == nil {
		return nil, order.ErrNotStated
	}
	return json.Marshal(a.patterns)
}

// UnmarshalJSON reads what MarshalJSON writes.
func (a *Args) UnmarshalJSON(data []byte) error {
	if string(data) == `"any"` {
		*a = AnyArgs()
		return nil
	}
	var patterns []Pattern
	if err := json.Unmarshal(data, &patterns); err != nil {
		return err
	}
	*a = Args{patterns: patterns}
	return nil
}

// AppendCanonical writes what MarshalJSON does. It implements [canon.Appender].
func (a Args) AppendCanonical(out []byte) ([]byte, bool) {
	if a.any {
		return append(out, `"any"`...), true
	}
	return canon.Append(out, a.patterns)
}

// ReadCanonical reads what MarshalJSON writes. It implements [canon.Value].
func (a *Args) ReadCanonical(r *canon.Reader) bool {
	if r.Is(`"any"`) {
		*a = AnyArgs()
		return true
	}
	a.any = false
	return r.Into(&a.patterns)
}

// A Command is something that may be executed in the running container.
type Command struct {
	Args Args `json:"args"`
	// For says what it is for: "probe", "hook", "exec"; "any" of them.
	For order.Exact `json:"for"`
}

// Covers reports whether c permits all that d does.
func (c Command) Covers(d Command) bool {
	return c.Args.covers(d.Args) && d.For.Over(c.For) == nil
}

// Common returns the commands of both.
func (c Command) Common(d Command) (Command, bool) {
	args, err1 := c.Args.Meet(d.Args)
	use, err2 := c.For.Meet(d.For)
	return Command{Args: args, For: use}, err1 == nil && err2 == nil
}

// Check reports a malformed command.
func (c Command) Check() error {
	if err := c.Args.Check(); err != nil {
		return err
	}
	return c.For.Check()
}

func (c Command) String() string { return c.Args.String() + " for " + string(c.For) }
