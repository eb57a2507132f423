package seccomp

import (
	"fmt"
	"slices"

	"github.com/opencontainers/runtime-spec/specs-go"

	"github.com/immure-dev/immure/harden"
)

// Bounds on what is read. Docker's default profile has about 30 rules with 500
// names in all.
const (
	maxRules = 1024
	maxNames = 4096
	maxArgs  = 6
)

// Parse reads the seccomp section of a runtime configuration. Nil is no filter,
// and so is a section without a default action and without calls, which runc
// takes for none.
//
// A call's rule that names one argument twice is read as alternatives, one for
// each of its conditions, as the runtimes compile it. A flag list that is left
// out is read as empty: newer runtimes then set SPEC_ALLOW, which concerns a
// processor's side channel and permits no call. Conditions that libseccomp may
// compile to something wider are an error.
func Parse(p *specs.LinuxSeccomp) (harden.Syscalls, error) {
	if p == nil || (p.DefaultAction == "" && len(p.Syscalls) == 0) {
		return harden.Unconfined(), nil
	}
	if p.ListenerPath != "" || p.ListenerMetadata != "" {
		return harden.Syscalls{}, fmt.Errorf("parse seccomp: a listener (%q) decides what is let through", p.ListenerPath)
	}
	fallback, err := actionOf(p.DefaultAction, p.DefaultErrnoRet)
	if err != nil {
		return harden.Syscalls{}, fmt.Errorf("parse seccomp: default: %w", err)
	}
	archs, err := parseArchitectures(p.Architectures)
	if err != nil {
		return harden.Syscalls{}, fmt.Errorf("parse seccomp: %w", err)
	}
	rules, err := parseRules(p.Syscalls)
	if err != nil {
		return harden.Syscalls{}, fmt.Errorf("parse seccomp: %w", err)
	}
	s := harden.NewSyscalls(archs, fallback, rules...)
	for _, f := range p.Flags {
		if err := checkFlag(string(f)); err != nil {
			return harden.Syscalls{}, fmt.Errorf("parse seccomp: %w", err)
		}
		s = s.WithFlags(string(f))
	}
	if err := s.Check(); err != nil {
		return harden.Syscalls{}, fmt.Errorf("parse seccomp: %w", err)
	}
	if err := checkShapes(s.Rules()); err != nil {
		return harden.Syscalls{}, fmt.Errorf("parse seccomp: %w", err)
	}
	return s, nil
}

func checkFlag(f string) error {
	if !slices.Contains(flags, f) {
		return fmt.Errorf("unknown flag %q", f)
	}
	return nil
}

// parseArchitectures adds x86_64 where only its sub-architectures are listed:
// libseccomp's filter begins with the native architecture and the list adds to
// it (seccomp_init(3)).
func parseArchitectures(list []specs.Arch) ([]string, error) {
	if len(list) > len(architectures) {
		return nil, fmt.Errorf("%d architectures are listed, more than there are", len(list))
	}
	if len(list) == 0 {
		return []string{Native()}, nil
	}
	var names []string
	for _, a := range list {
		name, err := archName(a)
		if err != nil {
			return nil, err
		}
		names = append(names, name)
		if name == "x86" || name == "x32" {
			names = append(names, "x86_64")
		}
	}
	return names, nil
}

func parseRules(calls []specs.LinuxSyscall) ([]harden.SyscallRule, error) {
	var rules []harden.SyscallRule
	names := 0
	for i, c := range calls {
		action, err := actionOf(c.Action, c.ErrnoRet)
		if err != nil {
			return nil, fmt.Errorf("rule %d: %w", i, err)
		}
		args, alternatives, err := parseArgs(c.Args)
		if err != nil {
			return nil, fmt.Errorf("rule %d: %w", i, err)
		}
		added := []harden.SyscallRule{{Names: c.Names, Action: action, Args: args}}
		if alternatives {
			added = added[:0]
			for _, a := range args {
				added = append(added, harden.SyscallRule{Names: c.Names, Action: action, Args: []harden.SyscallArg{a}})
			}
		}
		rules = append(rules, added...)
		if names += len(c.Names) * len(added); len(rules) > maxRules || names > maxNames {
			return nil, fmt.Errorf("more than %d rules or %d names", maxRules, maxNames)
		}
	}
	return rules, nil
}

// parseArgs reads conditions and reports whether they are alternatives.
func parseArgs(list []specs.LinuxSeccompArg) (args []harden.SyscallArg, alternatives bool, err error) {
	if len(list) > maxArgs {
		return nil, false, fmt.Errorf("%d conditions are more than %d", len(list), maxArgs)
	}
	var seen [maxArgs]bool
	for _, c := range list {
		op, err := operatorName(c.Op)
		if err != nil {
			return nil, false, err
		}
		a := harden.NewSyscallArg(c.Index, op, c.Value)
		if c.Op == specs.OpMaskedEqual {
			a = harden.MaskedArg(c.Index, c.Value, c.ValueTwo)
		}
		if err := a.Check(); err != nil {
			return nil, false, err
		}
		alternatives = alternatives || seen[c.Index]
		seen[c.Index] = true
		args = append(args, a)
	}
	return args, alternatives, nil
}
