package seccomp

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"
	"pgregory.net/rapid"

	"github.com/immure-dev/immure/harden"
)

var update = flag.Bool("update", false, "rewrite the files in testdata")

func sample() harden.Syscalls {
	return harden.NewSyscalls([]string{"x86_64"}, harden.Errno(1),
		harden.SyscallRule{Names: []string{"read", "write", "exit_group"}, Action: harden.Allow},
		harden.SyscallRule{Names: []string{"clone3"}, Action: harden.Errno(38)},
		harden.SyscallRule{Names: []string{"socket"}, Action: harden.Allow, Args: []harden.SyscallArg{
			harden.NewSyscallArg(0, "eq", 2), harden.MaskedArg(1, 0xf, 1), harden.NewSyscallArg(2, "eq", 7),
		}},
	)
}

func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	file := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(file, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s differs: got\n%s\nwant\n%s", file, got, want)
	}
}

func TestRenderJSON(t *testing.T) {
	got, err := RenderJSON(sample())
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "sample.json", got)
}

func TestArtifact(t *testing.T) {
	a, err := NewArtifact(sample())
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "manifest.json", a.Manifest)
	if string(a.Config) != "{}" {
		t.Errorf("config is %s", a.Config)
	}
}

var values = []uint64{0, 1, 38, 1 << 31, 1<<32 - 1, 1 << 63, 1<<64 - 1}

// drawExact draws at most one "eq" or "maskedEq" for each argument.
func drawExact(t *rapid.T) []harden.SyscallArg {
	var args []harden.SyscallArg
	for i := range uint(6) {
		value := rapid.SampledFrom(values).Draw(t, "value")
		switch rapid.SampledFrom([]string{"", "", "eq", "maskedEq"}).Draw(t, "op") {
		case "eq":
			args = append(args, harden.NewSyscallArg(i, "eq", value))
		case "maskedEq":
			args = append(args, harden.MaskedArg(i, value, value&0x8000_0026))
		}
	}
	return args
}

// drawSingle draws one condition of any kind with a value of 32 bits.
func drawSingle(t *rapid.T) []harden.SyscallArg {
	index, value := rapid.UintRange(0, 5).Draw(t, "index"), rapid.SampledFrom(values[1:5]).Draw(t, "value")
	op := rapid.SampledFrom([]string{"eq", "ne", "lt", "le", "gt", "ge", "maskedEq"}).Draw(t, "op")
	if op == "maskedEq" {
		return []harden.SyscallArg{harden.MaskedArg(index, value, value&0x26)}
	}
	return []harden.SyscallArg{harden.NewSyscallArg(index, op, value)}
}

var actions = []harden.Action{harden.Allow, harden.Log, harden.KillThread, harden.KillProcess, harden.Errno(0), harden.Errno(1), harden.Errno(38), "trap 0", "trace 7"}

func drawPolicy(t *rapid.T) harden.Syscalls {
	archs := rapid.SampledFrom([][]string{{"x86_64"}, {"x86_64", "x32"}, {"aarch64"}, {"riscv64"}}).Draw(t, "archs")
	var rules []harden.SyscallRule
	for range rapid.IntRange(0, 6).Draw(t, "rules") {
		names, args := []string{"read", "write", "no_such_call"}, drawExact
		if rapid.Bool().Draw(t, "single") {
			names, args = []string{"socket", "clone", "lseek"}, drawSingle
		}
		rules = append(rules, harden.SyscallRule{
			Names:  rapid.SliceOfN(rapid.SampledFrom(names), 1, 3).Draw(t, "names"),
			Action: rapid.SampledFrom(actions).Draw(t, "action"), Args: args(t),
		})
	}
	s := harden.NewSyscalls(archs, rapid.SampledFrom(actions).Draw(t, "fallback"), rules...)
	if rapid.Bool().Draw(t, "flag") {
		s = s.WithFlags("SECCOMP_FILTER_FLAG_LOG")
	}
	if s.Check() != nil { // of x32, 32 bits of an argument are compared
		return harden.NewSyscalls([]string{"x86_64"}, s.Fallback(), s.Rules()...).WithFlags(s.Flags()...)
	}
	return s
}

func TestRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := drawPolicy(t)
		p, err := Render(s)
		if err != nil {
			t.Fatal(err)
		}
		data, err := json.Marshal(p)
		if err != nil {
			t.Fatal(err)
		}
		var again specs.LinuxSeccomp
		if err := json.Unmarshal(data, &again); err != nil {
			t.Fatal(err)
		}
		got, err := Parse(&again)
		if err != nil {
			t.Fatal(err)
		}
		if over := got.Over(s); over != nil {
			t.Errorf("read back wider: %v", over)
		}
		if over := s.Over(got); over != nil {
			t.Errorf("read back narrower: %v", over)
		}
	})
}

// TestOneEach compares the written conditions with the stated ones by trying
// argument values around every bound.
func TestOneEach(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		ops := rapid.SampledFrom([]string{"eq", "ne", "lt", "le", "gt", "ge", "maskedEq"})
		small := rapid.Uint64Range(0, 15)
		var args []harden.SyscallArg
		for range rapid.IntRange(1, 3).Draw(t, "conditions") {
			op, v := ops.Draw(t, "op"), small.Draw(t, "value")
			if op == "maskedEq" {
				args = append(args, harden.MaskedArg(0, v, small.Draw(t, "masked")))
			} else {
				args = append(args, harden.NewSyscallArg(0, op, v))
			}
		}
		rules := harden.NewSyscalls([]string{"x86_64"}, harden.Errno(1), harden.SyscallRule{Names: []string{"read"}, Action: harden.Allow, Args: args}).Rules()
		out, never, err := oneEach(rules[0].Args)
		if err != nil {
			return // said to be inexpressible
		}
		if !never && len(out) != 1 {
			t.Fatalf("%d conditions on one argument", len(out))
		}
		for x := range uint64(18) {
			want := true
			for _, a := range args {
				want = want && a.Holds(x)
			}
			got := !never
			if got {
				got = out[0].Holds(x)
			}
			if got != want {
				t.Errorf("%v at %d: written as %v", args, x, out)
			}
		}
	})
}

func TestParse(t *testing.T) {
	errno := func(n uint) *uint { return &n }
	call := func(act specs.LinuxSeccompAction, e *uint, args ...specs.LinuxSeccompArg) specs.LinuxSyscall {
		return specs.LinuxSyscall{Names: []string{"read"}, Action: act, ErrnoRet: e, Args: args}
	}
	arg := func(i uint, op specs.LinuxSeccompOperator, v uint64) specs.LinuxSeccompArg {
		return specs.LinuxSeccompArg{Index: i, Op: op, Value: v}
	}
	native := []string{Native()}
	rule := func(a harden.Action, args ...harden.SyscallArg) harden.SyscallRule {
		return harden.SyscallRule{Names: []string{"read"}, Action: a, Args: args}
	}
	for name, c := range map[string]struct {
		in   *specs.LinuxSeccomp
		want harden.Syscalls
	}{
		"none":           {nil, harden.Unconfined()},
		"empty":          {&specs.LinuxSeccomp{}, harden.Unconfined()},
		"default errno":  {&specs.LinuxSeccomp{DefaultAction: specs.ActErrno}, harden.NewSyscalls(native, harden.Errno(1))},
		"errno 0":        {&specs.LinuxSeccomp{DefaultAction: specs.ActErrno, DefaultErrnoRet: errno(0)}, harden.NewSyscalls(native, harden.Errno(0))},
		"kill":           {&specs.LinuxSeccomp{DefaultAction: specs.ActKill}, harden.NewSyscalls(native, harden.KillThread)},
		"trace":          {&specs.LinuxSeccomp{DefaultAction: specs.ActTrace}, harden.NewSyscalls(native, "trace 1")},
		"notify":         {&specs.LinuxSeccomp{DefaultAction: specs.ActErrno, Syscalls: []specs.LinuxSyscall{call(specs.ActNotify, nil)}}, harden.NewSyscalls(native, harden.Errno(1), rule(harden.Notify))},
		"sub arch alone": {&specs.LinuxSeccomp{DefaultAction: specs.ActKill, Architectures: []specs.Arch{specs.ArchX32}}, harden.NewSyscalls([]string{"x32", "x86_64"}, harden.KillThread)},
		"and": {
			&specs.LinuxSeccomp{DefaultAction: specs.ActErrno, Syscalls: []specs.LinuxSyscall{call(specs.ActAllow, nil, arg(0, specs.OpEqualTo, 1), arg(1, specs.OpEqualTo, 2))}},
			harden.NewSyscalls(native, harden.Errno(1), rule(harden.Allow, harden.NewSyscallArg(0, "eq", 1), harden.NewSyscallArg(1, "eq", 2))),
		},
		"or": { // one argument twice makes every condition its own rule
			&specs.LinuxSeccomp{DefaultAction: specs.ActErrno, Syscalls: []specs.LinuxSyscall{
				call(specs.ActAllow, nil, arg(0, specs.OpGreaterThan, 1), arg(0, specs.OpLessThan, 5), arg(1, specs.OpEqualTo, 2)),
			}},
			harden.NewSyscalls(native, harden.Errno(1), rule(harden.Allow, harden.NewSyscallArg(0, "gt", 1)),
				rule(harden.Allow, harden.NewSyscallArg(0, "lt", 5)), rule(harden.Allow, harden.NewSyscallArg(1, "eq", 2))),
		},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := Parse(c.in)
			if err != nil {
				t.Fatal(err)
			}
			if a, b := got.Over(c.want), c.want.Over(got); a != nil || b != nil {
				t.Errorf("wider by %v, narrower by %v", a, b)
			}
		})
	}
}

func TestParseRefuses(t *testing.T) {
	many := make([]specs.LinuxSyscall, maxRules+1)
	for i := range many {
		many[i] = specs.LinuxSyscall{Names: []string{"read"}, Action: specs.ActAllow}
	}
	big := uint(65536)
	for want, in := range map[string]*specs.LinuxSeccomp{
		`unknown action ""`:      {Syscalls: []specs.LinuxSyscall{{Names: []string{"read"}, Action: specs.ActAllow}}},
		"unknown action":         {DefaultAction: "SCMP_ACT_MAYBE"},
		"unknown flag":           {DefaultAction: specs.ActErrno, Flags: []specs.LinuxSeccompFlag{"NEW"}},
		"unknown architecture":   {DefaultAction: specs.ActErrno, Architectures: []specs.Arch{"SCMP_ARCH_x86"}},
		"listener":               {DefaultAction: specs.ActErrno, ListenerPath: "/run/x"},
		"errno 65536":            {DefaultAction: specs.ActErrno, DefaultErrnoRet: &big},
		"takes no errno":         {DefaultAction: specs.ActAllow, DefaultErrnoRet: &big},
		"unknown operator":       {DefaultAction: specs.ActErrno, Syscalls: []specs.LinuxSyscall{{Names: []string{"read"}, Action: specs.ActAllow, Args: []specs.LinuxSeccompArg{{}}}}},
		"malformed":              {DefaultAction: specs.ActErrno, Syscalls: []specs.LinuxSyscall{{Names: []string{"read"}, Action: specs.ActAllow, Args: []specs.LinuxSeccompArg{{Index: 6, Op: specs.OpEqualTo}}}}},
		"no system call's name":  {DefaultAction: specs.ActErrno, Syscalls: []specs.LinuxSyscall{{Names: []string{"Read"}, Action: specs.ActAllow}}},
		"more than 1024 rules":   {DefaultAction: specs.ActErrno, Syscalls: many},
		"conditions are more":    {DefaultAction: specs.ActErrno, Syscalls: []specs.LinuxSyscall{{Names: []string{"read"}, Action: specs.ActAllow, Args: make([]specs.LinuxSeccompArg, 7)}}},
		"architectures are list": {DefaultAction: specs.ActErrno, Architectures: make([]specs.Arch, 99)},
	} {
		if _, err := Parse(in); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("want an error with %q, got %v", want, err)
		}
	}
}

func TestRenderRefuses(t *testing.T) {
	allow := func(args ...harden.SyscallArg) harden.SyscallRule {
		return harden.SyscallRule{Names: []string{"read"}, Action: harden.Allow, Args: args}
	}
	var many []harden.SyscallRule
	for i := range uint64(maxEntriesPerCall + 1) {
		many = append(many, allow(harden.NewSyscallArg(0, "eq", i)))
	}
	x86 := []string{"x86_64"}
	for want, in := range map[string]harden.Syscalls{
		"not stated":           {},
		"unconfined":           harden.Unconfined(),
		`"notify"`:             harden.NewSyscalls(x86, harden.Notify),
		`"trap 3"`:             harden.NewSyscalls(x86, "trap 3"),
		`"errno 5000"`:         harden.NewSyscalls(x86, harden.Errno(5000)),
		"unknown architecture": harden.NewSyscalls([]string{"X86"}, harden.Errno(1)),
		"unknown flag":         harden.NewSyscalls(x86, harden.Errno(1)).WithFlags("NEW"),
		"cannot ask for both":  harden.NewSyscalls(x86, harden.Errno(1), allow(harden.NewSyscallArg(0, "gt", 1), harden.NewSyscallArg(0, "lt", 5))),
		"more than 128":        harden.NewSyscalls(x86, harden.Errno(1), many...),
	} {
		if _, err := RenderJSON(in); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("want an error with %q, got %v", want, err)
		}
	}
}
