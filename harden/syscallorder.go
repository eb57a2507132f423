package harden

import (
	"errors"
	"fmt"
	"slices"

	"github.com/immure-dev/immure/harden/order"
)

// harmlessFlags change what is logged or how threads are brought in line, not
// what is permitted.
var harmlessFlags = []string{"SECCOMP_FILTER_FLAG_LOG", "SECCOMP_FILTER_FLAG_TSYNC", "SECCOMP_FILTER_FLAG_TSYNC_ESRCH"}

// outcome is what a policy may answer to one call under a condition.
type outcome struct {
	when   condition
	action Action
}

// A decision is what a policy may answer to calls of each name.
type decision struct {
	fallback Action
	named    map[string][]outcome
}

func (s Syscalls) decide() decision {
	size := 0
	for _, r := range s.rules {
		size += len(r.Names)
	}
	d := decision{fallback: s.fallback, named: make(map[string][]outcome, size)}
	all := make([]outcome, 0, size) // most names have one, and no list of their own
	for _, r := range s.rules {
		if condition(r.Args).apart(r.Args) {
			continue // never holds
		}
		o := outcome{when: r.Args, action: r.Action}
		for _, name := range r.Names {
			if before := d.named[name]; before != nil {
				d.named[name] = append(before, o)
				continue
			}
			all = append(all, o)
			d.named[name] = all[len(all)-1 : len(all) : len(all)]
		}
	}
	return d
}

// sure reports whether some rule for the name matches whatever the arguments.
func (d decision) sure(name string) bool {
	return slices.ContainsFunc(d.named[name], func(o outcome) bool { return len(o.when) == 0 })
}

// outcomes lists every answer that there may be to calls of the name: its
// rules, and the fallback where no rule is sure to match. Rules that overlap
// are all listed, so the list never misses the answer that a compiler would
// pick.
func (d decision) outcomes(name string) []outcome {
	out := d.named[name]
	if !d.sure(name) {
		out = append(slices.Clone(out), outcome{action: d.fallback})
	}
	return out
}

// grants reports whether the answer is sure to be at least as permissive as o.
func (d decision) grants(name string, o outcome) bool {
	found := false
	for _, mine := range d.named[name] {
		enough := o.action.within(mine.action)
		if !enough && !o.when.apart(mine.when) && !(len(mine.when) == 0 && mine.action == d.fallback && found) {
			return false
		}
		found = found || (enough && o.when.implies(mine.when))
	}
	if d.sure(name) {
		return found
	}
	// Where a rule is sure to match, the fallback is not reached.
	return found || o.action.within(d.fallback)
}

func (s Syscalls) names() []string {
	var names []string
	for _, r := range s.rules {
		names = append(names, r.Names...)
	}
	return sorted(names)
}

// Over lists the calls that s may answer more permissively than limit does.
func (s Syscalls) Over(limit Syscalls) []string {
	switch {
	case limit.unconfined && (s.unconfined || s.architectures != nil):
		return nil
	case s.equal(limit): // also where the rules contradict each other
		return nil
	case s.unconfined:
		return []string{"unconfined"}
	case s.architectures == nil || limit.architectures == nil:
		return []string{order.ErrNotStated.Error()}
	}
	var over []string
	for _, arch := range s.architectures {
		if !slices.Contains(limit.architectures, arch) {
			over = append(over, "calls of architecture "+arch)
		}
	}
	for _, f := range s.flags {
		if !slices.Contains(limit.flags, f) && !slices.Contains(harmlessFlags, f) {
			over = append(over, "flag "+f)
		}
	}
	if !s.fallback.within(limit.fallback) {
		over = append(over, fmt.Sprintf("every call not named (%s)", s.fallback))
	}
	return append(over, s.callsOver(limit)...)
}

// callsOver lists, sorted, the named calls that s may answer more permissively.
func (s Syscalls) callsOver(limit Syscalls) []string {
	var over []string
	mine, theirs := s.decide(), limit.decide()
	judge := func(name string, o outcome) {
		if !theirs.grants(name, o) {
			over = append(over, describe(name, o))
		}
	}
	otherwise := outcome{action: s.fallback}
	for name, outcomes := range mine.named {
		for _, o := range outcomes {
			judge(name, o)
		}
		if !mine.sure(name) {
			judge(name, otherwise)
		}
	}
	for name := range theirs.named {
		if mine.named[name] == nil {
			judge(name, otherwise)
		}
	}
	slices.Sort(over)
	return over
}

func (s Syscalls) equal(t Syscalls) bool {
	return s.unconfined == t.unconfined && s.architectures != nil && t.architectures != nil &&
		slices.Equal(s.architectures, t.architectures) && s.fallback == t.fallback && slices.Equal(s.flags, t.flags) &&
		slices.EqualFunc(s.rules, t.rules, func(a, b SyscallRule) bool {
			return a.Action == b.Action && slices.Equal(a.Names, b.Names) && slices.Equal(a.Args, b.Args)
		})
}

func describe(name string, o outcome) string {
	text := name
	if len(o.when) > 0 {
		text += "("
		for i, a := range o.when {
			if i > 0 {
				text += ", "
			}
			text += a.String()
		}
		text += ")"
	}
	if !o.action.Permits() {
		text += " answered " + string(o.action)
	}
	return text
}

// String shows the condition as a C programmer would: "arg0 == 38".
func (a SyscallArg) String() string {
	signs := map[string]string{"eq": "==", "ne": "!=", "lt": "<", "le": "<=", "ge": ">=", "gt": ">"}
	if sign, ok := signs[a.Op]; ok {
		return fmt.Sprintf("arg%d %s %d", a.Index, sign, a.Value)
	}
	return fmt.Sprintf("arg%d & 0x%x == 0x%x", a.Index, a.Value, a.Masked)
}

// errMixed reports two policies whose meet the rules alone cannot express.
var errMixed = errors.New("the policies mix denials and grants on one call: decide with harden/seccomp")

// Meet returns what both policies let through. Both must be lists of grants
// over a denying fallback, unless one is within the other.
func (s Syscalls) Meet(t Syscalls) (Syscalls, error) {
	if s.Over(t) == nil {
		return s, nil
	}
	if t.Over(s) == nil {
		return t, nil
	}
	if !s.grantsOnly() || !t.grantsOnly() {
		return Syscalls{}, errMixed
	}
	archs := slices.DeleteFunc(s.Architectures(), func(a string) bool { return !slices.Contains(t.architectures, a) })
	if len(archs) == 0 {
		return Syscalls{}, order.ErrConflict
	}
	fallback := s.fallback
	if !fallback.within(t.fallback) {
		fallback = t.fallback
	}
	var rules []SyscallRule
	mine, theirs := s.decide(), t.decide()
	for _, name := range s.names() {
		for _, a := range mine.outcomes(name) {
			for _, b := range theirs.outcomes(name) {
				if a.action.Permits() && b.action.Permits() && !a.when.apart(b.when) {
					rules = append(rules, SyscallRule{Names: []string{name}, Action: Allow, Args: slices.Concat(a.when, b.when)})
				}
			}
		}
	}
	flags := slices.DeleteFunc(s.Flags(), func(f string) bool {
		return !slices.Contains(t.flags, f) && !slices.Contains(harmlessFlags, f)
	})
	return NewSyscalls(archs, fallback, rules...).WithFlags(flags...), nil
}

// grantsOnly reports whether every rule is a grant, or a refusal as strict as
// the fallback that could be left out.
func (s Syscalls) grantsOnly() bool {
	if s.fallback.Permits() || s.fallback.class() >= fakes {
		return false
	}
	return !slices.ContainsFunc(s.rules, func(r SyscallRule) bool {
		if r.Action.Permits() {
			return false
		}
		// A refusal of a call that is granted elsewhere would have to be
		// subtracted, which the rules cannot say.
		granted := slices.ContainsFunc(s.rules, func(q SyscallRule) bool {
			return q.Action.Permits() && slices.ContainsFunc(q.Names, func(n string) bool { return slices.Contains(r.Names, n) })
		})
		return granted || r.Action.class() != s.fallback.class()
	})
}

// Lines lists the policy for people: each call that is let through, with its
// conditions, and what is answered otherwise.
func (s Syscalls) Lines() []string {
	if s.unconfined || s.architectures == nil {
		return []string{s.String()}
	}
	d := s.decide()
	var lines []string
	for _, name := range s.names() {
		for _, o := range d.named[name] {
			lines = append(lines, describe(name, o))
		}
	}
	return append(lines, fmt.Sprintf("otherwise %s", s.fallback))
}
