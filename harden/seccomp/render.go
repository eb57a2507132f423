package seccomp

import (
	"encoding/json"
	"fmt"

	"github.com/opencontainers/runtime-spec/specs-go"

	"github.com/immure-dev/immure/harden"
)

// Render writes a policy as the seccomp section of a runtime configuration, in
// canonical order; nil for the unconfined policy, which has none. Policies that
// the form cannot say are errors: a listener's decisions, a trap with data, two
// different bounds on one argument, and conditions that libseccomp may compile
// to something wider.
func Render(s harden.Syscalls) (*specs.LinuxSeccomp, error) {
	if err := s.Check(); err != nil {
		return nil, fmt.Errorf("render seccomp: %w", err)
	}
	if s.IsUnconfined() {
		return nil, nil
	}
	out := new(specs.LinuxSeccomp)
	var err error
	if out.DefaultAction, out.DefaultErrnoRet, err = actionParts(s.Fallback()); err != nil {
		return nil, fmt.Errorf("render seccomp: %w", err)
	}
	for _, name := range s.Architectures() {
		a, err := archConstant(name)
		if err != nil {
			return nil, fmt.Errorf("render seccomp: %w", err)
		}
		out.Architectures = append(out.Architectures, a)
	}
	for _, f := range s.Flags() {
		if err := checkFlag(f); err != nil {
			return nil, fmt.Errorf("render seccomp: %w", err)
		}
		out.Flags = append(out.Flags, specs.LinuxSeccompFlag(f))
	}
	var written []harden.SyscallRule
	for _, r := range s.Rules() {
		action, errno, err := actionParts(r.Action)
		if err != nil {
			return nil, fmt.Errorf("render seccomp: %q: %w", r.Names, err)
		}
		args, never, err := oneEach(r.Args)
		if err != nil {
			return nil, fmt.Errorf("render seccomp: %q: %w", r.Names, err)
		}
		if !never {
			written = append(written, harden.SyscallRule{Names: r.Names, Action: r.Action, Args: args})
			out.Syscalls = append(out.Syscalls, specs.LinuxSyscall{Names: r.Names, Action: action, ErrnoRet: errno, Args: native(args)})
		}
	}
	if err := checkShapes(written); err != nil {
		return nil, fmt.Errorf("render seccomp: %w", err)
	}
	return out, nil
}

// RenderJSON is [Render] as one line of JSON: what /.immure/seccomp.json, an
// image label and a KEP-6061 artifact hold. It keeps to the limits of KEP-6061.
// An unconfined policy is an error.
func RenderJSON(s harden.Syscalls) ([]byte, error) {
	profile, err := Render(s)
	if err != nil {
		return nil, err
	}
	if profile == nil {
		return nil, fmt.Errorf("render seccomp: the policy is unconfined, which no profile says")
	}
	data, err := json.Marshal(profile)
	if err != nil {
		return nil, fmt.Errorf("render seccomp: %w", err)
	}
	if err := checkKEP6061(profile, len(data)); err != nil {
		return nil, fmt.Errorf("render seccomp: %w", err)
	}
	return data, nil
}
