package seccomp

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"

	"github.com/immure-dev/immure/harden"
)

// TestShapes reads and writes rules for one call. The refused ones are compiled
// by libseccomp 2.5.4 to something wider, or resemble such ones.
func TestShapes(t *testing.T) {
	for _, c := range []struct {
		name  string
		rules string // args of each rule, as in a configuration
		want  string // of the error; empty: accepted
	}{
		{"a wide bound and a small one on another argument", `[[{"index":0,"value":4294967296,"op":"SCMP_CMP_GE"},{"index":1,"value":4294967295,"op":"SCMP_CMP_LT"}],
			[{"index":0,"value":37,"op":"SCMP_CMP_LE"}]]`, "conditions on socket"},
		{"two bounds, one wide", `[[{"index":0,"value":4294967336,"op":"SCMP_CMP_GT"}],[{"index":0,"value":2,"op":"SCMP_CMP_LT"}]]`, "conditions on socket"},
		{"one wide bound", `[[{"index":0,"value":4294967296,"op":"SCMP_CMP_LT"}]]`, "conditions on socket"},
		{"a wide inequality", `[[{"index":0,"value":4294967296,"op":"SCMP_CMP_NE"}]]`, "conditions on socket"},
		{"a bound in a rule of two", `[[{"index":0,"value":2,"op":"SCMP_CMP_EQ"},{"index":1,"value":3,"op":"SCMP_CMP_LE"}]]`, "conditions on socket"},
		{"a bound beside a rule of two", `[[{"index":0,"value":2,"op":"SCMP_CMP_EQ"},{"index":1,"value":3,"op":"SCMP_CMP_EQ"}],[{"index":0,"value":37,"op":"SCMP_CMP_LE"}]]`, "conditions on socket"},
		{"a bound beside a wide equality", `[[{"index":0,"value":4294967296,"op":"SCMP_CMP_EQ"}],[{"index":0,"value":37,"op":"SCMP_CMP_LE"}]]`, "conditions on socket"},
		{"a bound beside no condition", `[[],[{"index":0,"value":37,"op":"SCMP_CMP_LE"}]]`, "conditions on socket"},
		{"nothing of the argument is 1", `[[{"index":0,"value":0,"valueTwo":1,"op":"SCMP_CMP_MASKED_EQ"}]]`, "never holds"},
		{"wanted bits outside the mask", `[[{"index":0,"value":1,"valueTwo":4294967297,"op":"SCMP_CMP_MASKED_EQ"}]]`, "never holds"},
		{"below nothing", `[[{"index":0,"value":0,"op":"SCMP_CMP_LT"}]]`, "never holds"},
		{"Docker's three", `[[{"index":0,"value":38,"op":"SCMP_CMP_LT"}],[{"index":0,"value":39,"op":"SCMP_CMP_EQ"}],[{"index":0,"value":40,"op":"SCMP_CMP_GT"}]]`, ""},
		{"alternatives in one rule", `[[{"index":0,"value":38,"op":"SCMP_CMP_LT"},{"index":0,"value":40,"op":"SCMP_CMP_GT"}]]`, ""},
		{"wide equalities", `[[{"index":0,"value":4294967296,"op":"SCMP_CMP_EQ"},{"index":1,"value":18446744073709551615,"valueTwo":1,"op":"SCMP_CMP_MASKED_EQ"}],[]]`, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			var all [][]specs.LinuxSeccompArg
			if err := json.Unmarshal([]byte(c.rules), &all); err != nil {
				t.Fatal(err)
			}
			p := &specs.LinuxSeccomp{DefaultAction: specs.ActErrno, Architectures: []specs.Arch{specs.ArchX86_64}}
			var rules []harden.SyscallRule
			for _, args := range all {
				p.Syscalls = append(p.Syscalls, specs.LinuxSyscall{Names: []string{"socket"}, Action: specs.ActAllow, Args: args})
				rule := harden.SyscallRule{Names: []string{"socket"}, Action: harden.Allow}
				for _, a := range args {
					op, err := operatorName(a.Op)
					if err != nil {
						t.Fatal(err)
					}
					rule.Args = append(rule.Args, harden.SyscallArg{Index: a.Index, Op: op, Value: a.Value, Masked: a.ValueTwo})
				}
				rules = append(rules, rule)
			}
			read, err := Parse(p)
			if !answers(err, c.want) {
				t.Errorf("parse: want %q, got %v", c.want, err)
			}
			stated := harden.NewSyscalls([]string{"x86_64"}, harden.Errno(1), rules...)
			if c.want == "" {
				stated = read // of two conditions on one argument the form has alternatives
			}
			if _, err := Render(stated); !answers(err, c.want) {
				t.Errorf("render: want %q, got %v", c.want, err)
			}
		})
	}
}

func answers(err error, want string) bool {
	if want == "" || err == nil {
		return want == "" && err == nil
	}
	return strings.Contains(err.Error(), want)
}

// TestShapesByName lets other calls have other shapes.
func TestShapesByName(t *testing.T) {
	rule := func(name string, args ...harden.SyscallArg) harden.SyscallRule {
		return harden.SyscallRule{Names: []string{name}, Action: harden.Allow, Args: args}
	}
	s := harden.NewSyscalls([]string{"x86_64"}, harden.Errno(1), rule("read"),
		rule("socket", harden.NewSyscallArg(0, "lt", 38)), rule("clone", harden.NewSyscallArg(0, "eq", 1<<40), harden.NewSyscallArg(1, "eq", 0)))
	if _, err := Render(s); err != nil {
		t.Errorf("each call has one of the shapes: %v", err)
	}
	if _, err := Render(s.With(rule("socket", harden.NewSyscallArg(0, "eq", 1<<40)))); err == nil {
		t.Error("a wide condition beside a bound is written")
	}
	// One bound that two conditions come to is one condition in the filter.
	both := harden.NewSyscalls([]string{"x86_64"}, harden.Errno(1), rule("read", harden.NewSyscallArg(0, "lt", 38), harden.NewSyscallArg(0, "lt", 1<<40)))
	if _, err := Render(both); err != nil {
		t.Errorf("the tighter of two bounds is written alone: %v", err)
	}
}
