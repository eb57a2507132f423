package servicefile

import (
	"errors"
	"math"
	"strconv"
	"strings"

	"github.com/immure-dev/immure/harden/order"
)

var errUnits = errors.New("write a number of bytes, or one with Ki, Mi or Gi, as 64Mi")

// resource reads a limit, or "any".
func (d *decoder) resource(n *node, p string, parse func(string) (int64, error)) order.Limit {
	s, ok := d.scalar(n, p)
	if !ok {
		return order.Unlimited()
	}
	if s == order.Any {
		return order.Unlimited()
	}
	v, err := parse(s)
	if err == nil && (v < 1 || v > order.MaxLimit) {
		err = errors.New("must be above zero and below 2^53, or any")
	}
	if err != nil {
		d.add(n.at, "%s: %q: %v", p, s, err)
	}
	return order.AtMost(v)
}

var units = map[string]int64{"": 1, "Ki": 1 << 10, "Mi": 1 << 20, "Gi": 1 << 30}

func bytesOf(s string) (int64, error) {
	digits := strings.TrimRight(s, "KMGi")
	unit, ok := units[s[len(digits):]]
	v, err := strconv.ParseInt(digits, 10, 64)
	if !ok || err != nil || strconv.FormatInt(v, 10) != digits || v < 0 || v > math.MaxInt64/unit {
		return 0, errUnits
	}
	return v * unit, nil
}

func countOf(s string) (int64, error) {
	v, err := strconv.ParseInt(s, 10, 64)
	if err != nil || strconv.FormatInt(v, 10) != s {
		return 0, errors.New("write a whole number")
	}
	return v, nil
}

// minMillis is a millisecond of every tenth of a second, the least that a
// configuration can ask for. Source: Linux kernel/sched/core.c,
// min_cfs_quota_period.
const minMillis = 10

var processors = pattern(`^([0-9]{1,6})(?:\.([0-9]{1,3}))?$`)

func millisOf(s string) (int64, error) {
	m := processors().FindStringSubmatch(s)
	if m == nil {
		return 0, errors.New("write processors with at most three decimals, as 0.5")
	}
	v, err := strconv.ParseInt(m[1]+(m[2] + "000")[:3], 10, 64)
	if err == nil && v < minMillis {
		return 0, errors.New("the kernel's scheduler gives at least 0.01 of a processor")
	}
	return v, err
}
