package oci

import (
	"fmt"
	"maps"
	"math/bits"
	"slices"
	"strconv"
	"strings"

	"github.com/opencontainers/runtime-spec/specs-go"

	"github.com/immure-dev/immure/harden/grant"
	"github.com/immure-dev/immure/harden/order"
)

// defaultPeriod is of the CPU controller, in microseconds.
const defaultPeriod = 100_000

// resources reads the cgroup's limits. What sets no bound that a facet has is
// named in resources.other.
//
// Bandwidth of block devices counts as unlimited: limits are of single devices,
// and there are others.
func (r *reader) resources() {
	b := &r.b.Resources
	b.IOMaxBytesPerSecond = order.Unlimited()
	b.MemoryMaxBytes, b.SwapMaxBytes, b.PIDsMax, b.CPUMaxMillis = order.Unlimited(), order.Unlimited(), order.Unlimited(), order.Unlimited()
	res := r.linux.Resources
	if res == nil {
		b.Other = order.Of[grant.Name]()
		return
	}
	if res.Memory != nil {
		r.memory(res.Memory)
	}
	if res.Pids != nil {
		b.PIDsMax = positive(res.Pids.Limit)
	}
	if res.CPU != nil {
		b.CPUMaxMillis = cpuMillis(value(res.CPU.Quota), value(res.CPU.Period))
	}
	b.Other = names(slices.Concat(otherMemory(res.Memory), otherCPU(res.CPU), otherDevices(res), r.unified(res.Unified)))
}

// positive reads a limit as runc does: absent, zero or negative is none.
func positive(n *int64) order.Limit {
	if value(n) <= 0 {
		return order.Unlimited()
	}
	return order.AtMost(*n)
}

func value[T any](p *T) (v T) {
	if p != nil {
		v = *p
	}
	return v
}

// memory reads the limits; swap is stated as memory and swap together.
func (r *reader) memory(m *specs.LinuxMemory) {
	b := &r.b.Resources
	b.MemoryMaxBytes = positive(m.Limit)
	both := positive(m.Swap)
	sum, bounded := both.Value()
	most, known := b.MemoryMaxBytes.Value()
	switch {
	case !bounded:
	case !known: // at worst all of it is swap
		b.SwapMaxBytes = both
	case sum < most:
		r.unread("resources.swapMaxBytes", "memory and swap of %d bytes are less than the memory's %d", sum, most)
	default:
		b.SwapMaxBytes = order.AtMost(sum - most)
	}
}

// cpuMillis rounds up, so that a reading is never below the truth.
func cpuMillis(quota int64, period uint64) order.Limit {
	if quota <= 0 {
		return order.Unlimited()
	}
	if period == 0 {
		period = defaultPeriod
	}
	hi, lo := bits.Mul64(uint64(quota), 1000)
	if hi >= period {
		return order.Unlimited()
	}
	n, rest := bits.Div64(hi, lo, period)
	if rest > 0 {
		n++
	}
	if n > order.MaxLimit {
		return order.Unlimited()
	}
	return order.AtMost(int64(n))
}

// unified reads the keys of cgroup v2. A limit that is stated in both ways
// counts as the larger: which one holds depends on the host's cgroup version.
func (r *reader) unified(keys map[string]string) []string {
	b := &r.b.Resources
	var other []string
	for _, key := range slices.Sorted(maps.Keys(keys)) {
		text := keys[key]
		var err error
		switch key {
		case "memory.max":
			err = larger(&b.MemoryMaxBytes, r.stated("memory"), text, unifiedNumber)
		case "memory.swap.max":
			err = larger(&b.SwapMaxBytes, r.stated("swap"), text, unifiedNumber)
		case "pids.max":
			err = larger(&b.PIDsMax, r.stated("pids"), text, unifiedNumber)
		case "cpu.max":
			err = larger(&b.CPUMaxMillis, r.stated("cpu"), text, unifiedCPU)
		default:
			other = append(other, "unified."+key)
		}
		if err != nil {
			r.unread("resources.other", "unified %s: %v", key, err)
		}
	}
	return other
}

// stated reports whether the configuration has the limit in its older form.
func (r *reader) stated(limit string) bool {
	res := r.linux.Resources
	switch limit {
	case "memory":
		return res.Memory != nil && res.Memory.Limit != nil
	case "swap":
		return res.Memory != nil && res.Memory.Swap != nil
	case "pids":
		return res.Pids != nil && res.Pids.Limit != nil
	}
	return res.CPU != nil && (res.CPU.Quota != nil || res.CPU.Period != nil)
}

func larger(limit *order.Limit, stated bool, text string, parse func(string) (order.Limit, error)) error {
	l, err := parse(text)
	if err == nil && (!stated || limit.Over(l) == nil) {
		*limit = l
	}
	return err
}

func unifiedNumber(text string) (order.Limit, error) {
	if text == "max" {
		return order.Unlimited(), nil
	}
	n, err := strconv.ParseUint(text, 10, 63)
	if err != nil {
		return order.Limit{}, fmt.Errorf("%q is neither a number nor max", text)
	}
	return order.AtMost(int64(n)), nil
}

func unifiedCPU(text string) (order.Limit, error) {
	quota, period, found := strings.Cut(text, " ")
	if !found {
		period = strconv.Itoa(defaultPeriod)
	}
	p, err := strconv.ParseUint(period, 10, 63)
	if quota == "max" && err == nil {
		return order.Unlimited(), nil
	}
	q, err2 := strconv.ParseUint(quota, 10, 63)
	if err != nil || err2 != nil || p == 0 || q == 0 {
		return order.Limit{}, fmt.Errorf("%q is no quota and period", text)
	}
	return cpuMillis(int64(q), p), nil
}
