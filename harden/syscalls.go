package harden

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/immure-dev/immure/harden/canon"
	"github.com/immure-dev/immure/harden/order"
)

// A SyscallRule is the action for calls by name whose arguments meet every
// condition. Several rules for one name are alternatives.
type SyscallRule struct {
	Action Action       `json:"action"`
	Args   []SyscallArg `json:"args"`
	Names  []string     `json:"names"`
}

// Syscalls is a system call policy by names and arguments. The zero value is
// not stated.
//
// The comparison here is by rules and conservative: what cannot be shown to be
// within is not within. Package harden/seccomp decides exactly.
type Syscalls struct {
	unconfined    bool
	architectures []string // nil: not stated
	fallback      Action
	flags         []string
	rules         []SyscallRule
}

// Unconfined is the policy without a filter, the top.
func Unconfined() Syscalls { return Syscalls{unconfined: true} }

// NewSyscalls is the policy that answers fallback where no rule matches, for
// the given architectures in lower case as runtime-spec names them ("x86_64",
// "aarch64"); calls of other architectures are killed. Rules without names are
// dropped and rules of one action and the same conditions become one.
func NewSyscalls(architectures []string, fallback Action, rules ...SyscallRule) Syscalls {
	s := Syscalls{architectures: sorted(architectures), fallback: fallback, flags: []string{}}
	s.rules = normalise(rules)
	return s
}

// WithFlags returns s with flags of seccomp(2), as "SECCOMP_FILTER_FLAG_LOG".
func (s Syscalls) WithFlags(flags ...string) Syscalls {
	s.flags = sorted(append(slices.Clone(s.flags), flags...))
	return s
}

// With returns s with further rules. The unconfined policy stays what it is.
func (s Syscalls) With(rules ...SyscallRule) Syscalls {
	if s.unconfined || s.architectures == nil {
		return s
	}
	s.rules = normalise(append(s.Rules(), rules...))
	return s
}

// IsUnconfined reports whether there is no filter at all.
func (s Syscalls) IsUnconfined() bool { return s.unconfined }

// Architectures, Fallback, Flags and Rules return the policy's parts.
func (s Syscalls) Architectures() []string { return slices.Clone(s.architectures) }

// Fallback is the action where no rule matches.
func (s Syscalls) Fallback() Action { return s.fallback }

// Flags are of seccomp(2).
func (s Syscalls) Flags() []string { return slices.Clone(s.flags) }

// Rules are in canonical order.
func (s Syscalls) Rules() []SyscallRule {
	out := make([]SyscallRule, len(s.rules))
	for i, r := range s.rules {
		out[i] = SyscallRule{Names: slices.Clone(r.Names), Action: r.Action, Args: slices.Clone(r.Args)}
	}
	return out
}

// Allowed lists the names that some rule lets through, sorted. It is empty
// where the fallback lets through what no rule names.
func (s Syscalls) Allowed() []string {
	var names []string
	for _, r := range s.rules {
		if r.Action.Permits() {
			names = append(names, r.Names...)
		}
	}
	return sorted(names)
}

func sorted(s []string) []string {
	out := append(make([]string, 0, len(s)), s...)
	if ascending(out, cmp.Compare) {
		return out
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// ascending reports whether a list is in order and without repetition, as all
// that was read from a canonical form is.
func ascending[T any](list []T, compare func(a, b T) int) bool {
	for i := 1; i < len(list); i++ {
		if compare(list[i-1], list[i]) >= 0 {
			return false
		}
	}
	return true
}

func compareArgs(a, b SyscallArg) int {
	return cmp.Or(cmp.Compare(a.Index, b.Index), cmp.Compare(a.Op, b.Op), cmp.Compare(a.Value, b.Value), cmp.Compare(a.Masked, b.Masked))
}

func normalise(rules []SyscallRule) []SyscallRule {
	ordered := make([]SyscallRule, 0, len(rules))
	for _, r := range rules {
		if len(r.Names) == 0 {
			continue
		}
		args := append(make([]SyscallArg, 0, len(r.Args)), r.Args...)
		slices.SortFunc(args, compareArgs)
		ordered = append(ordered, SyscallRule{Names: sorted(r.Names), Action: r.Action, Args: slices.Compact(args)})
	}
	if ascending(ordered, compareRules) {
		return ordered
	}
	slices.SortStableFunc(ordered, compareRules)
	merged := ordered[:0]
	for _, r := range ordered {
		if n := len(merged); n > 0 && compareRules(merged[n-1], r) == 0 {
			merged[n-1].Names = append(merged[n-1].Names, r.Names...)
		} else {
			merged = append(merged, r)
		}
	}
	for i := range merged {
		merged[i].Names = sorted(merged[i].Names)
	}
	return merged
}

// compareRules orders rules by what they say, not of which calls.
func compareRules(a, b SyscallRule) int {
	return cmp.Or(cmp.Compare(a.Action, b.Action), slices.CompareFunc(a.Args, b.Args, compareArgs))
}

// Check reports a policy that is not stated or malformed.
func (s Syscalls) Check() error {
	if s.unconfined {
		return nil
	}
	if s.architectures == nil {
		return order.ErrNotStated
	}
	if len(s.architectures) == 0 {
		return fmt.Errorf("no architecture: name at least one, as x86_64")
	}
	if err := s.fallback.Check(); err != nil {
		return err
	}
	narrow := s.narrow()
	for _, r := range s.rules {
		if err := r.Action.Check(); err != nil {
			return err
		}
		for _, n := range r.Names {
			if n == "" || strings.ContainsFunc(n, notOfName) {
				return fmt.Errorf("%q is no system call's name", n)
			}
		}
		for _, a := range r.Args {
			if err := a.Check(); err != nil {
				return err
			}
			if narrow != "" && a.wide() {
				return fmt.Errorf("condition %q: of calls of architecture %s 32 bits are compared", a.text(), narrow)
			}
		}
	}
	return nil
}

func notOfName(r rune) bool {
	return (r < 'a' || r > 'z') && (r < '0' || r > '9') && r != '_'
}

// narrowArchitectures are those of which libseccomp compares the low 32 bits of
// an argument only. Of x32 and n32 the registers are wider, so that a condition
// on the upper half would be none.
var narrowArchitectures = []string{"arm", "m68k", "mips", "mips64n32", "mipsel", "mipsel64n32", "parisc", "ppc", "s390", "sh", "sheb", "x32", "x86"}

// narrow is an architecture of the policy with arguments of 32 bits, or empty.
func (s Syscalls) narrow() string {
	i := slices.IndexFunc(s.architectures, func(a string) bool { return slices.Contains(narrowArchitectures, a) })
	if i < 0 {
		return ""
	}
	return s.architectures[i]
}

type syscallsJSON struct {
	Architectures []string      `json:"architectures"`
	Default       Action        `json:"default"`
	Flags         []string      `json:"flags"`
	Rules         []SyscallRule `json:"rules"`
}

// MarshalJSON writes the policy's parts, or "any".
func (s Syscalls) MarshalJSON() ([]byte, error) {
	if s.unconfined {
		return json.Marshal(order.Any)
	}
	if s.architectures == nil {
		return nil, order.ErrNotStated
	}
	return json.Marshal(syscallsJSON{s.architectures, s.fallback, s.flags, s.rules})
}

// UnmarshalJSON reads what MarshalJSON writes.
func (s *Syscalls) UnmarshalJSON(data []byte) error {
	if string(data) == `"any"` {
		*s = Unconfined()
		return nil
	}
	var j syscallsJSON
	if err := json.Unmarshal(data, &j); err != nil {
		return err
	}
	*s = NewSyscalls(j.Architectures, j.Default, j.Rules...).WithFlags(j.Flags...)
	return nil
}

// AppendCanonical writes what MarshalJSON does. It implements [canon.Appender].
func (s Syscalls) AppendCanonical(out []byte) ([]byte, bool) {
	if s.unconfined {
		return append(out, `"any"`...), true
	}
	return canon.Append(out, syscallsJSON{s.architectures, s.fallback, s.flags, s.rules})
}

// ReadCanonical reads what MarshalJSON writes. It implements [canon.Value].
func (s *Syscalls) ReadCanonical(r *canon.Reader) bool {
	if r.Is(`"any"`) {
		*s = Unconfined()
		return true
	}
	var j syscallsJSON
	if !r.Into(&j) || !ascending(j.Architectures, cmp.Compare) || !ascending(j.Flags, cmp.Compare) || !ascending(j.Rules, compareRules) {
		return false
	}
	for _, rule := range j.Rules {
		if len(rule.Names) == 0 || !ascending(rule.Names, cmp.Compare) || !ascending(rule.Args, compareArgs) {
			return false
		}
	}
	*s = Syscalls{architectures: j.Architectures, fallback: j.Default, flags: j.Flags, rules: j.Rules}
	return true
}

func (s Syscalls) String() string {
	switch {
	case s.unconfined:
		return "unconfined"
	case s.architectures == nil:
		return order.ErrNotStated.Error()
	}
	return fmt.Sprintf("%d calls allowed, %s otherwise", len(s.Allowed()), s.fallback)
}
