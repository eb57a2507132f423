//go:build e2e

package forms_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
	"pgregory.net/rapid"

	"github.com/immure-dev/immure/harden"
)

// Bounds of the comparison: each policy is one container.
const (
	policies     = 20
	callsForName = 200
)

// A call is one with arguments.
type call struct {
	name   string
	number uintptr
	args   [3]uint64
}

// tried are calls that do no harm whatever their arguments, never answer EPERM
// by themselves, and are needed by neither runc nor the probe.
var tried = []call{
	{name: "fadvise64", number: unix.SYS_FADVISE64},
	{name: "getpriority", number: unix.SYS_GETPRIORITY},
	{name: "ioprio_get", number: unix.SYS_IOPRIO_GET},
	{name: "readahead", number: unix.SYS_READAHEAD},
	{name: "sync_file_range", number: unix.SYS_SYNC_FILE_RANGE},
}

var numbers = []uint64{0, 1, 2, 37, 38, 39, 40, 41, 1 << 31, 1<<32 - 2, 1<<32 - 1, 1 << 32, 1<<32 + 1, 1<<32 + 40, 1 << 33, 1 << 63, 1<<64 - 1}

// small are those of 32 bits that every operator can be met with.
var small = numbers[1:10]

// policy draws rules for each of the calls in one of the shapes that
// harden/seccomp accepts.
var policy = rapid.Custom(func(t *rapid.T) []harden.SyscallRule {
	var rules []harden.SyscallRule
	for _, c := range tried {
		exact := rapid.Bool().Draw(t, "exact")
		for range rapid.IntRange(1, 5).Draw(t, "rules") {
			rule := harden.SyscallRule{Names: []string{c.name}, Action: harden.Allow}
			if !exact {
				rule.Args = append(rule.Args, condition(t, rapid.UintRange(0, 1).Draw(t, "index"), small, "eq", "ge", "gt", "le", "lt", "ne", "maskedEq"))
			}
			for i := range uint(3) {
				if exact && rapid.Bool().Draw(t, "asks") {
					rule.Args = append(rule.Args, condition(t, i, numbers, "eq", "maskedEq"))
				}
			}
			rules = append(rules, rule)
		}
	}
	return rules
})

func condition(t *rapid.T, index uint, from []uint64, ops ...string) harden.SyscallArg {
	op, v := rapid.SampledFrom(ops).Draw(t, "op"), rapid.SampledFrom(from).Draw(t, "value")
	if op == "maskedEq" {
		return harden.MaskedArg(index, v, v&rapid.SampledFrom(from).Draw(t, "masked"))
	}
	return harden.NewSyscallArg(index, op, v)
}

// calls chooses arguments at and beside the values of the rules, in both halves.
func calls(rules []harden.SyscallRule, random *rand.Rand) []call {
	var list []call
	for _, c := range tried {
		near := numbers
		for _, r := range rules {
			for _, a := range r.Args {
				for _, v := range []uint64{a.Value, a.Masked} {
					near = append(near, v, v, v-1, v+1, v^1<<32, v&(1<<32-1), v|1<<40)
				}
			}
		}
		for range callsForName {
			one := c
			for i := range one.args {
				one.args[i] = near[random.IntN(len(near))]
			}
			list = append(list, one)
		}
	}
	return list
}

// permits reads the rules as they are written.
func permits(rules []harden.SyscallRule, c call) bool {
	for _, r := range rules {
		holds := r.Names[0] == c.name
		for _, a := range r.Args {
			holds = holds && a.Holds(c.args[a.Index])
		}
		if holds {
			return true
		}
	}
	return false
}

// withoutTried is a policy that says nothing of the calls that are tried.
func withoutTried(s harden.Syscalls) harden.Syscalls {
	rules := s.Rules()
	for i := range rules {
		rules[i].Names = slices.DeleteFunc(rules[i].Names, func(name string) bool {
			return slices.ContainsFunc(tried, func(c call) bool { return c.name == name })
		})
	}
	return harden.NewSyscalls(s.Architectures(), s.Fallback(), rules...)
}

// TestFilters compares what the kernel answers under the filter that runc and
// libseccomp compile with what the rules say. A policy is the same each time
// for one seed.
func TestFilters(t *testing.T) {
	root, err := rootfs()
	must(t, err)
	permitted, refused := 0, 0
	for seed := range policies {
		rules := policy.Example(seed)
		list := calls(rules, rand.New(rand.NewPCG(uint64(seed), 0)))
		var text strings.Builder
		for _, c := range list {
			fmt.Fprintln(&text, c.number, c.args[0], c.args[1], c.args[2])
		}
		must(t, os.WriteFile(filepath.Join(root, "calls"), []byte(text.String()), 0o644))
		b := service(t, "calls", "/calls")
		b.Syscalls = withoutTried(b.Syscalls).With(rules...)
		id := fmt.Sprintf("forms-%d-%d", os.Getpid(), seed)
		out, err := run(t, id, render(t, b, id))
		if err != nil {
			t.Fatalf("seed %d: %v\n%v", seed, err, rules)
		}
		answers := strings.Fields(out)
		if len(answers) != len(list) {
			t.Fatalf("seed %d: %d answers to %d calls", seed, len(answers), len(list))
		}
		for i, c := range list {
			want := permits(rules, c)
			got := answers[i] != strconv.Itoa(int(unix.EPERM))
			if got != want {
				t.Errorf("seed %d: %s(%#x): permitted %t, by the rules %t\n%v", seed, c.name, c.args, got, want, rules)
			}
			if got {
				permitted++
			} else {
				refused++
			}
		}
	}
	if permitted < policies*callsForName/4 || refused < policies*callsForName/4 {
		t.Errorf("of the calls only %d were permitted and %d refused", permitted, refused)
	}
}
