package harden

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
)

// A SyscallArg is a condition on one 64-bit argument of a system call.
//
// Source: runtime-spec config-linux.md, seccomp, args; seccomp_rule_add(3).
type SyscallArg struct {
	// Index is of the argument, 0 to 5.
	Index uint
	// Op is "eq", "ne", "lt", "le", "ge", "gt" or "maskedEq", unsigned.
	Op string
	// Value to compare with; for maskedEq the mask.
	Value uint64
	// Masked is what the argument and the mask must give; 0 for other ops.
	Masked uint64
}

// maskedOp compares what a mask leaves of the argument.
const maskedOp = "maskedEq"

var argOps = []string{"eq", "ge", "gt", "le", "lt", maskedOp, "ne"}

// NewSyscallArg is the condition that argument index compares with value.
func NewSyscallArg(index uint, op string, value uint64) SyscallArg {
	return SyscallArg{Index: index, Op: op, Value: value}
}

// MaskedArg is the condition that argument index and mask is want.
func MaskedArg(index uint, mask, want uint64) SyscallArg {
	return SyscallArg{Index: index, Op: maskedOp, Value: mask, Masked: want}
}

// Check reports a malformed condition, and one that never holds: libseccomp
// does not compare a half of the argument whose mask is zero, and so takes
// "arg0 & 0 == 1" for always true.
func (a SyscallArg) Check() error {
	if a.Index > 5 || !slices.Contains(argOps, a.Op) || (a.Op != maskedOp && a.Masked != 0) {
		return fmt.Errorf("condition %q is malformed", a.text())
	}
	if _, _, ok := a.span(); !ok {
		return fmt.Errorf("condition %q never holds", a.text())
	}
	return nil
}

// wide reports whether the condition looks at more than the low 32 bits.
func (a SyscallArg) wide() bool { return a.Value > math.MaxUint32 || a.Masked > math.MaxUint32 }

// text is the form in JSON: "0 eq 2", "0 maskedEq 15 1". One condition has one
// text.
func (a SyscallArg) text() string {
	text := strconv.FormatUint(uint64(a.Index), 10) + " " + a.Op + " " + strconv.FormatUint(a.Value, 10)
	if a.Op == maskedOp {
		text += " " + strconv.FormatUint(a.Masked, 10)
	}
	return text
}

// MarshalText writes the condition in one line.
func (a SyscallArg) MarshalText() ([]byte, error) { return []byte(a.text()), a.Check() }

// UnmarshalText reads what MarshalText writes.
func (a *SyscallArg) UnmarshalText(text []byte) error {
	fields := strings.Split(string(text), " ")
	want := 3
	if len(fields) > 1 && fields[1] == maskedOp {
		want = 4
	}
	if len(fields) != want {
		return fmt.Errorf("condition %q: write INDEX OPERATOR VALUE, as 0 eq 2", text)
	}
	numbers := make([]uint64, 0, len(fields)-1)
	for _, f := range append(fields[:1:1], fields[2:]...) {
		n, err := strconv.ParseUint(f, 10, 64)
		if err != nil {
			return fmt.Errorf("condition %q: %q is no number of 64 bits", text, f)
		}
		numbers = append(numbers, n)
	}
	b := SyscallArg{Index: uint(min(numbers[0], 6)), Op: fields[1], Value: numbers[1]}
	if want == 4 {
		b.Masked = numbers[2]
	}
	if b.text() != string(text) {
		return fmt.Errorf("condition %q is not in its one form %q", text, b.text())
	}
	*a = b
	return a.Check()
}

// Holds reports whether the argument x meets the condition.
func (a SyscallArg) Holds(x uint64) bool {
	v, m := a.Value, a.Masked
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
	case maskedOp:
		return x&v == m
	}
	return false
}

// span returns the smallest interval that holds every x that meets a; ok is
// false when none does.
func (a SyscallArg) span() (lo, hi uint64, ok bool) {
	v, m := a.Value, a.Masked
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
	case maskedOp:
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
	v, m := b.Value, b.Masked
	switch b.Op {
	case "ne":
		return !a.Holds(v)
	case maskedOp:
		if lo == hi {
			return b.Holds(lo)
		}
		mask, want := a.Value, a.Masked
		return a.Op == maskedOp && v&^mask == 0 && want&v == m
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
		return !b.Holds(alo)
	}
	if blo == bhi {
		return !a.Holds(blo)
	}
	return a.Op == maskedOp && b.Op == maskedOp && (a.Masked^b.Masked)&a.Value&b.Value != 0
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
