package harden_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/immure-dev/immure/harden"
	"github.com/immure-dev/immure/internal/boundarygen"
	"pgregory.net/rapid"
)

// answers lists what a policy may answer to one concrete call: every rule that
// matches, or the fallback.
func answers(s harden.Syscalls, name string, args [2]uint64) []harden.Action {
	var out []harden.Action
	for _, r := range s.Rules() {
		if !slices.Contains(r.Names, name) {
			continue
		}
		if !slices.ContainsFunc(r.Args, func(a harden.SyscallArg) bool { return !a.Holds(args[a.Index]) }) {
			out = append(out, r.Action)
		}
	}
	if out == nil {
		out = append(out, s.Fallback())
	}
	return out
}

var strictness = map[harden.Action]int{harden.KillProcess: 0, harden.Errno(1): 1, harden.Errno(38): 1, harden.Allow: 2}

// TestSyscallsWithinIsSound tries a claimed containment on concrete calls: no
// call may be let through that the limit refuses.
func TestSyscallsWithinIsSound(t *testing.T) {
	values := []uint64{0, 1, 2, 3, 4, 5, 6, 7, 8, 1 << 63, ^uint64(0)}
	found := 0
	rapid.Check(t, func(t *rapid.T) {
		a := boundarygen.Boundary().Draw(t, "a").Syscalls
		b := boundarygen.Boundary().Draw(t, "b").Syscalls
		if m, err := a.Meet(b); err == nil && rapid.Bool().Draw(t, "meet") {
			a = m
		}
		if a.Over(b) != nil || a.IsUnconfined() || b.IsUnconfined() {
			return
		}
		found++
		for _, name := range []string{"read", "socket", "clone", "unnamed"} {
			for _, x := range values {
				for _, y := range values {
					got, limit := answers(a, name, [2]uint64{x, y}), answers(b, name, [2]uint64{x, y})
					if len(got) > 1 || len(limit) > 1 {
						continue // the compiler's choice; see the laws
					}
					g, ok1 := strictness[got[0]]
					l, ok2 := strictness[limit[0]]
					if ok1 && ok2 && g > l || ok1 != ok2 {
						t.Fatalf("%s(%d, %d): %s is not within %s", name, x, y, got, limit)
					}
				}
			}
		}
	})
	if found < 5 {
		t.Fatalf("only %d related pairs: the test shows nothing", found)
	}
}

func allow(names ...string) harden.SyscallRule {
	return harden.SyscallRule{Names: names, Action: harden.Allow}
}

func allowIf(name string, args ...harden.SyscallArg) harden.SyscallRule {
	return harden.SyscallRule{Names: []string{name}, Action: harden.Allow, Args: args}
}

func TestSyscallsOver(t *testing.T) {
	native := []string{"x86_64"}
	limit := harden.NewSyscalls(native, harden.Errno(1), allow("read", "write"),
		allowIf("socket", harden.NewSyscallArg(0, "eq", 2)), allowIf("socket", harden.NewSyscallArg(0, "eq", 1)),
		allowIf("clone", harden.MaskedArg(0, 0x7e020000, 0)))
	cases := []struct {
		name string
		s    harden.Syscalls
		want string // "" when within
	}{
		{"fewer", harden.NewSyscalls(native, harden.Errno(1), allow("read")), ""},
		{"other errno", harden.NewSyscalls(native, harden.Errno(38), allow("read")), ""},
		{"kill", harden.NewSyscalls(native, harden.KillProcess), ""},
		{"narrower argument", harden.NewSyscalls(native, harden.Errno(1), allowIf("socket", harden.NewSyscallArg(0, "eq", 2), harden.NewSyscallArg(1, "eq", 1))), ""},
		{"narrower mask", harden.NewSyscalls(native, harden.Errno(1), allowIf("clone", harden.MaskedArg(0, 0xff020000, 0))), ""},
		{"a call more", limit.With(allow("ptrace")), "ptrace"},
		{"any socket", limit.With(allow("socket")), "socket"},
		{"AF_ALG", limit.With(allowIf("socket", harden.NewSyscallArg(0, "eq", 38))), "socket(arg0 == 38)"},
		{"wider mask", limit.With(allowIf("clone", harden.MaskedArg(0, 0x10000000, 0))), "clone(arg0 & 0x10000000 == 0x0)"},
		{"default allow", harden.NewSyscalls(native, harden.Allow), "every call not named (allow), clone, socket"},
		{"faked success", harden.NewSyscalls(native, harden.Errno(0)), "every call not named (errno 0)"},
		{"one faked success", limit.With(harden.SyscallRule{Names: []string{"prctl"}, Action: harden.Errno(0)}), "prctl answered errno 0"},
		{"another architecture", harden.NewSyscalls([]string{"x86_64", "x86"}, harden.Errno(1)), "calls of architecture x86"},
		{"log lets through", harden.NewSyscalls(native, harden.Log), "every call not named (log)"},
		{"notify lets through", harden.NewSyscalls(native, harden.Notify), "every call not named (notify)"},
		{"trace lets through", harden.NewSyscalls(native, "trace 3"), "every call not named (trace 3)"},
		{"mitigation off", limit.WithFlags("SECCOMP_FILTER_FLAG_SPEC_ALLOW"), "flag SECCOMP_FILTER_FLAG_SPEC_ALLOW"},
		{"log flag", limit.WithFlags("SECCOMP_FILTER_FLAG_LOG"), ""},
		{"no filter", harden.Unconfined(), "unconfined"},
		{"not stated", harden.Syscalls{}, "not stated"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			over := strings.Join(c.s.Over(limit), ", ")
			if (c.want == "") != (over == "") || !strings.HasPrefix(over, c.want) {
				t.Errorf("got %q, want %q", over, c.want)
			}
		})
	}
}

// What compilers take for another condition than it says is no condition.
func TestConditionsThatMislead(t *testing.T) {
	for _, a := range []harden.SyscallArg{
		harden.MaskedArg(0, 0, 1), harden.MaskedArg(0, 1, 1<<32+1), harden.MaskedArg(1, 0xff00, 0xff),
		harden.NewSyscallArg(0, "lt", 0), harden.NewSyscallArg(0, "gt", ^uint64(0)), harden.NewSyscallArg(6, "eq", 0),
	} {
		if a.Check() == nil {
			t.Errorf("%s is taken", a)
		}
		if harden.NewSyscalls([]string{"x86_64"}, harden.Errno(1), allowIf("bpf", a)).Check() == nil {
			t.Errorf("a policy with %s is taken", a)
		}
	}
	high := harden.NewSyscallArg(0, "eq", 1<<32+40)
	if err := harden.NewSyscalls([]string{"x86_64"}, harden.Errno(1), allowIf("socket", high)).Check(); err != nil {
		t.Error(err)
	}
	for _, arch := range []string{"x86", "x32", "arm", "mips64n32"} {
		if harden.NewSyscalls([]string{"x86_64", arch}, harden.Errno(1), allowIf("socket", high)).Check() == nil {
			t.Errorf("a condition on 64 bits is taken for arguments of %s", arch)
		}
	}
}
