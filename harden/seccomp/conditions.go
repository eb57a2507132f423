package seccomp

import (
	"fmt"

	"github.com/opencontainers/runtime-spec/specs-go"

	"github.com/immure-dev/immure/harden"
)

// oneEach writes conditions that must all hold, at most one for each argument:
// the runtimes take a rule with two conditions on one argument for alternatives
// (runc matchCall, crun libcrun_generate_seccomp). never reports that no call
// can meet them.
func oneEach(args []harden.SyscallArg) (single []harden.SyscallArg, never bool, err error) {
	for _, a := range args { // in canonical order: by index, "eq" first
		last := len(single) - 1
		if last < 0 || single[last].Index != a.Index {
			single = append(single, a)
			continue
		}
		if single[last], never, err = both(single[last], a); never || err != nil {
			return nil, never, err
		}
	}
	return single, false, nil
}

// native writes conditions as a configuration has them.
func native(args []harden.SyscallArg) []specs.LinuxSeccompArg {
	var out []specs.LinuxSeccompArg
	for _, a := range args {
		v, m := a.Value, a.Masked
		out = append(out, specs.LinuxSeccompArg{Index: a.Index, Value: v, ValueTwo: m, Op: operators[a.Op]})
	}
	return out
}

// both returns the one condition that says what two on one argument say.
func both(a, b harden.SyscallArg) (_ harden.SyscallArg, never bool, err error) {
	av, am := a.Value, a.Masked
	bv, bm := b.Value, b.Masked
	switch {
	case a == b:
		return a, false, nil
	case a.Op == "eq":
		return a, !b.Holds(av), nil
	case a.Op == "maskedEq" && b.Op == "maskedEq":
		return harden.MaskedArg(a.Index, av|bv, am|bm), (am^bm)&av&bv != 0 || am&^av != 0 || bm&^bv != 0, nil
	case a.Op == b.Op && (a.Op == "lt" || a.Op == "le"):
		return harden.NewSyscallArg(a.Index, a.Op, min(av, bv)), false, nil
	case a.Op == b.Op && (a.Op == "gt" || a.Op == "ge"):
		return harden.NewSyscallArg(a.Index, a.Op, max(av, bv)), false, nil
	}
	return a, false, fmt.Errorf("an OCI configuration cannot ask for both %v and %v", a, b)
}
