package grant

import (
	"fmt"
	"slices"
	"strings"

	"github.com/immure-dev/immure/harden/order"
)

// RlimitNames are the sixteen resource limits of getrlimit(2), in order.
var RlimitNames = []string{
	"RLIMIT_AS", "RLIMIT_CORE", "RLIMIT_CPU", "RLIMIT_DATA", "RLIMIT_FSIZE", "RLIMIT_LOCKS", "RLIMIT_MEMLOCK", "RLIMIT_MSGQUEUE",
	"RLIMIT_NICE", "RLIMIT_NOFILE", "RLIMIT_NPROC", "RLIMIT_RSS", "RLIMIT_RTPRIO", "RLIMIT_RTTIME", "RLIMIT_SIGPENDING", "RLIMIT_STACK",
}

// An Rlimit is a soft and a hard limit, in the units of getrlimit(2).
type Rlimit struct {
	Hard order.Limit `json:"hard"`
	Soft order.Limit `json:"soft"`
}

// Rlimits states every resource limit of [RlimitNames]. Nil is not stated.
type Rlimits map[string]Rlimit

// UnlimitedRlimits leaves every limit open; it is the top.
func UnlimitedRlimits() Rlimits {
	r := make(Rlimits, len(RlimitNames))
	for _, name := range RlimitNames {
		r[name] = Rlimit{Hard: order.Unlimited(), Soft: order.Unlimited()}
	}
	return r
}

// With returns r with one limit changed.
func (r Rlimits) With(name string, l Rlimit) Rlimits {
	out := make(Rlimits, len(r))
	for k, v := range r {
		out[k] = v
	}
	out[name] = l
	return out
}

// Check reports a limit that is missing, unknown or not stated.
func (r Rlimits) Check() error {
	if r == nil {
		return order.ErrNotStated
	}
	for name := range r {
		if !slices.Contains(RlimitNames, name) {
			return fmt.Errorf("%q is no resource limit", name)
		}
	}
	for _, name := range RlimitNames {
		l := r[name]
		if l.Hard.Check() != nil || l.Soft.Check() != nil {
			return fmt.Errorf("%s: %w", name, order.ErrNotStated)
		}
	}
	return nil
}

// Over lists the limits that are higher than limit's.
func (r Rlimits) Over(limit Rlimits) []string {
	var over []string
	for _, name := range RlimitNames {
		a, b := r[name], limit[name]
		if a.Hard.Over(b.Hard) != nil || a.Soft.Over(b.Soft) != nil {
			over = append(over, fmt.Sprintf("%s %s:%s", name, a.Soft, a.Hard))
		}
	}
	return over
}

// Meet returns the lower limits of both.
func (r Rlimits) Meet(s Rlimits) (Rlimits, error) {
	out := make(Rlimits, len(RlimitNames))
	for _, name := range RlimitNames {
		hard, err1 := r[name].Hard.Meet(s[name].Hard)
		soft, err2 := r[name].Soft.Meet(s[name].Soft)
		if err1 != nil || err2 != nil {
			return nil, order.ErrNotStated
		}
		out[name] = Rlimit{Hard: hard, Soft: soft}
	}
	return out, nil
}

func (r Rlimits) String() string {
	var texts []string
	for _, name := range RlimitNames {
		if l, ok := r[name]; ok && l.Hard != order.Unlimited() {
			texts = append(texts, fmt.Sprintf("%s %s:%s", name, l.Soft, l.Hard))
		}
	}
	if len(texts) == 0 {
		return order.Any
	}
	return strings.Join(texts, ", ")
}
