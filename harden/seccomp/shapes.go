package seccomp

import (
	"fmt"
	"maps"
	"math"
	"slices"

	"github.com/immure-dev/immure/harden"
)

// checkShapes refuses the rules of a call that libseccomp may compile to
// something wider than they say.
//
// A filter compares 32 bits at a time, so libseccomp splits each condition into
// one on the high half of the argument and one on the low half, and joins the
// conditions of all rules for one call to one tree. There, a failed comparison
// of one rule leads into the next rule's low half without its high half.
// In libseccomp 2.5.4, which Debian's runc 1.1 and crun 1.8 link, about one in
// twelve filters of up to six single comparisons with 64-bit values answers
// otherwise than its rules say: "socket where arg0 > 0x100000028, or arg0 < 2"
// lets socket(38) through.
//
// Two shapes answer as they are written, in the exported filters of 20,000
// random policies of each and in the containers of e2e/forms: calls with
// conditions "eq" and "maskedEq" alone, and calls each of whose rules is one
// comparison with a value of 32 bits, so that every high half is compared with
// zero. Docker's default filter and those of package profiles have no
// other.
//
// Source: libseccomp src/db.c, _db_rule_gen_64 and _db_tree_add.
func checkShapes(rules []harden.SyscallRule) error {
	if !slices.ContainsFunc(rules, func(r harden.SyscallRule) bool { return !isExact(r.Args) }) {
		return nil
	}
	exact, single := make(map[string]bool), make(map[string]bool)
	for _, r := range rules {
		isExact, isSingle := isExact(r.Args), isSingle(r.Args)
		for _, name := range r.Names {
			if _, seen := exact[name]; !seen {
				exact[name], single[name] = true, true
			}
			exact[name] = exact[name] && isExact
			single[name] = single[name] && isSingle
		}
	}
	for _, name := range slices.Sorted(maps.Keys(exact)) {
		if !exact[name] && !single[name] {
			return fmt.Errorf("conditions on %s: libseccomp may compile them to more than they say; "+
				"use eq and maskedEq alone, or one condition in each rule and values below 2^32", name)
		}
	}
	return nil
}

func isExact(args []harden.SyscallArg) bool {
	return !slices.ContainsFunc(args, func(a harden.SyscallArg) bool { return a.Op != "eq" && a.Op != "maskedEq" })
}

func isSingle(args []harden.SyscallArg) bool {
	return len(args) == 1 && args[0].Value <= math.MaxUint32 && args[0].Masked <= math.MaxUint32
}
