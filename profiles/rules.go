package profiles

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/immure-dev/immure/harden"
)

// parseRules reads one line of a group's conditions:
//
//	socket: arg0 in AF_INET AF_INET6, arg1 & SOCK_TYPE in SOCK_STREAM, arg2 in 0 IPPROTO_TCP
//
// The call is let through when every argument named, after the mask if there
// is one, is among its values. Values and masks are numbers or names of
// data/constants.json. One rule is returned for each combination of values.
func (c *catalogue) parseRules(line string) ([]harden.SyscallRule, error) {
	call, conditions, ok := strings.Cut(line, ": ")
	if !ok {
		return nil, fmt.Errorf("line %q: no call and colon in front", line)
	}
	combinations := [][]harden.SyscallArg{nil}
	for condition := range strings.SplitSeq(conditions, ", ") {
		choices, err := c.parseChoices(condition)
		if err != nil {
			return nil, fmt.Errorf("line %q: %w", line, err)
		}
		var longer [][]harden.SyscallArg
		for _, prefix := range combinations {
			for _, choice := range choices {
				longer = append(longer, append(append([]harden.SyscallArg(nil), prefix...), choice))
			}
		}
		combinations = longer
	}
	rules := make([]harden.SyscallRule, len(combinations))
	for i, args := range combinations {
		rules[i] = harden.SyscallRule{Names: []string{call}, Action: harden.Allow, Args: args}
	}
	return rules, nil
}

// parseChoices reads "arg1 & MASK in VALUE VALUE…".
func (c *catalogue) parseChoices(condition string) ([]harden.SyscallArg, error) {
	subject, values, ok := strings.Cut(condition, " in ")
	if !ok {
		return nil, fmt.Errorf("condition %q: write arg0 in VALUE or arg0 & MASK in VALUE", condition)
	}
	argument, maskText, masked := strings.Cut(subject, " & ")
	digit, ok := strings.CutPrefix(argument, "arg")
	index, err := strconv.ParseUint(digit, 10, 3)
	if !ok || err != nil || index > 5 {
		return nil, fmt.Errorf("condition %q: %q is none of arg0 to arg5", condition, argument)
	}
	var mask uint64
	if masked {
		if mask, err = c.number(maskText); err != nil {
			return nil, err
		}
	}
	var choices []harden.SyscallArg
	for text := range strings.SplitSeq(values, " ") {
		value, err := c.number(text)
		if err != nil {
			return nil, err
		}
		if masked {
			choices = append(choices, harden.MaskedArg(uint(index), mask, value))
		} else {
			choices = append(choices, harden.NewSyscallArg(uint(index), "eq", value))
		}
	}
	return choices, nil
}

func (c *catalogue) number(text string) (uint64, error) {
	if n, ok := c.constants[text]; ok {
		return n, nil
	}
	n, err := strconv.ParseUint(text, 10, 64)
	if err != nil {
		return 0, fmt.Errorf("%q is neither a number nor a constant of data/constants.json", text)
	}
	return n, nil
}
