package harden

import (
	"fmt"
	"slices"
	"strconv"
)

// A SyscallArg is a condition on one 64-bit argument of a system call.
//
// Source: runtime-spec config-linux.md, seccomp, args; seccomp_rule_add(3).
type SyscallArg struct {
	// Index is of the argument, 0 to 5.
	Index uint `json:"index"`
	// Op is "eq", "ne", "lt", "le", "ge", "gt" or "maskedEq", unsigned.
	Op string `json:"op"`
	// Value to compare with, in decimal; for maskedEq the mask.
	Value string `json:"value"`
	// Masked is what the argument and the mask must give; "0" otherwise.
	Masked string `json:"masked"`
}

var argOps = []string{"eq", "ge", "gt", "le", "lt", "maskedEq", "ne"}

// NewSyscallArg is the condition that argument index compares with value.
func NewSyscallArg(index uint, op string, value uint64) SyscallArg {
	return SyscallArg{Index: index, Op: op, Value: strconv.FormatUint(value, 10), Masked: "0"}
}

// MaskedArg is the condition that argument index and mask is want.
func MaskedArg(index uint, mask, want uint64) SyscallArg {
	a := NewSyscallArg(index, "maskedEq", mask)
	a.Masked = strconv.FormatUint(want, 10)
	return a
}

// Values returns the numbers of Value and Masked; both zero if malformed.
func (a SyscallArg) Values() (value, masked uint64) {
	v, err1 := strconv.ParseUint(a.Value, 10, 64)
	m, err2 := strconv.ParseUint(a.Masked, 10, 64)
	if err1 != nil || err2 != nil {
		return 0, 0
	}
	return v, m
}

// Check reports a malformed condition.
func (a SyscallArg) Check() error {
	v, m := a.Values()
	if a.Index > 5 || !slices.Contains(argOps, a.Op) ||
		strconv.FormatUint(v, 10) != a.Value || strconv.FormatUint(m, 10) != a.Masked ||
		(a.Op != "maskedEq" && m != 0) {
		return fmt.Errorf("condition %v is malformed", a)
	}
	return nil
}

// holds reports whether the argument x meets the condition.
func (a SyscallArg) holds(x uint64) bool {
	v, m := a.Values()
	switch a.Op {
	case "eq":
		return x == v
	case "ne":
		return x != v
	case "lt":
		return x < v
	case "le":
		return x <= v
	case "ge":
		return x >= v
	case "gt":
		return x > v
	case "maskedEq":
		return x&v == m
	}
	return false
}

// span returns the smallest interval that holds every x that meets a; ok is
// false when none does.
func (a SyscallArg) span() (lo, hi uint64, ok bool) {
	v, m := a.Values()
	const top = ^uint64(0)
	switch a.Op {
	case "eq":
		return v, v, true
	case "lt":
		return 0, v - 1, v > 0
	case "le":
		return 0, v, true
	case "ge":
		return v, top, true
	case "gt":
		return v + 1, top, v < top
	case "maskedEq":
		return m, m | ^v, m&^v == 0
	}
	return 0, top, true // ne
}

// implies reports whether every x that meets a meets b. It may say no where
// the truth is yes, never the reverse.
func (a SyscallArg) implies(b SyscallArg) bool {
	if a.Index != b.Index {
		return false
	}
	lo, hi, ok := a.span()
	if a == b || !ok {
		return true
	}
	v, m := b.Values()
	switch b.Op {
	case "ne":
		return !a.holds(v)
	case "maskedEq":
		if lo == hi {
			return b.holds(lo)
		}
		mask, want := a.Values()
		return a.Op == "maskedEq" && v&^mask == 0 && want&v == m
	}
	from, to, ok := b.span()
	return ok && from <= lo && hi <= to
}

// apart reports whether no x meets both. It may say no where the truth is yes.
func (a SyscallArg) apart(b SyscallArg) bool {
	if a.Index != b.Index {
		return false
	}
	alo, ahi, ok1 := a.span()
	blo, bhi, ok2 := b.span()
	if !ok1 || !ok2 || ahi < blo || bhi < alo {
		return true
	}
	if alo == ahi {
		return !b.holds(alo)
	}
	if blo == bhi {
		return !a.holds(blo)
	}
	maskA, wantA := a.Values()
	maskB, wantB := b.Values()
	return a.Op == "maskedEq" && b.Op == "maskedEq" && (wantA^wantB)&maskA&maskB != 0
}

// A condition is a conjunction; the empty one always holds.
type condition []SyscallArg

func (c condition) implies(d condition) bool {
	for _, b := range d {
		if !slices.ContainsFunc(c, func(a SyscallArg) bool { return a.implies(b) }) {
			return false
		}
	}
	return true
}

func (c condition) apart(d condition) bool {
	for _, a := range c {
		if slices.ContainsFunc(d, a.apart) {
			return true
		}
	}
	return false
}
