package oci

import (
	"fmt"
	"strings"

	"github.com/opencontainers/runtime-spec/specs-go"

	"github.com/immure-dev/immure/harden/grant"
	"github.com/immure-dev/immure/harden/order"
)

// resources writes the cgroup's limits. Those in resources.other are permitted,
// not asked for.
func (w *writer) resources() error {
	r := w.b.Resources
	if err := w.memory(); err != nil {
		return err
	}
	if n, ok := r.PIDsMax.Value(); ok {
		if n == 0 {
			return fmt.Errorf("pidsMax: a service needs one task, and a runtime takes 0 for no limit")
		}
		w.limits().Pids = &specs.LinuxPids{Limit: &n}
	}
	if n, ok := r.CPUMaxMillis.Value(); ok {
		// The least quota is a millisecond. Source: kernel/sched/core.c,
		// min_cfs_quota_period.
		const perMilli, least = defaultPeriod / 1000, 1000
		quota, period := n*perMilli, uint64(defaultPeriod)
		if quota < least || n > 1<<32 {
			return fmt.Errorf("cpuMaxMillis: %d is not between %d and 2^32", n, least/perMilli)
		}
		w.limits().CPU = &specs.LinuxCPU{Quota: &quota, Period: &period}
	}
	if _, ok := r.IOMaxBytesPerSecond.Value(); ok {
		return fmt.Errorf("ioMaxBytesPerSecond: a configuration limits single devices only")
	}
	return nil
}

// memory writes swap as the runtime-spec wants it: with the memory added.
func (w *writer) memory() error {
	most, bounded := w.b.Resources.MemoryMaxBytes.Value()
	swap, swapBounded := w.b.Resources.SwapMaxBytes.Value()
	switch {
	case swapBounded && !bounded:
		return fmt.Errorf("swapMaxBytes: swap can only be limited together with the memory")
	case !bounded:
		return nil
	case most == 0:
		return fmt.Errorf("memoryMaxBytes: a runtime takes 0 for no limit")
	}
	w.limits().Memory = &specs.LinuxMemory{Limit: &most}
	if swapBounded {
		both := most + swap
		if both > order.MaxLimit {
			return fmt.Errorf("swapMaxBytes: memory and swap of %d bytes are too large to write", both)
		}
		w.limits().Memory.Swap = &both
	}
	return nil
}

// cgroupsPath asks for /immure/ID where that is permitted.
func (w *writer) cgroupsPath() error {
	granted := w.b.CgroupsPath
	candidates := []string{"/immure/" + w.in.ID}
	for _, p := range granted.Members() {
		if text, ok := literal(p); ok {
			candidates = append(candidates, text)
		}
	}
	if w.in.ID == "" || strings.ContainsAny(w.in.ID, "/:") || w.in.ID == ".." || w.in.ID == "." {
		return fmt.Errorf("the container's id %q is no name for a cgroup", w.in.ID)
	}
	for _, c := range candidates {
		if granted.Covers(grant.Literal(c)) {
			w.spec.Linux.CgroupsPath = c
			return nil
		}
	}
	return fmt.Errorf("neither /immure/%s nor a path spelled out is within %s", w.in.ID, granted)
}

// sysctls writes the settings that the boundary spells out.
func (w *writer) sysctls() error {
	for _, p := range w.b.Sysctls.Members() {
		text, ok := literal(p)
		if !ok {
			continue
		}
		key, v, whole := strings.Cut(text, "=")
		if !whole || key == "" {
			return fmt.Errorf("%q is not key=value", text)
		}
		if w.spec.Linux.Sysctl == nil {
			w.spec.Linux.Sysctl = make(map[string]string)
		}
		if was, twice := w.spec.Linux.Sysctl[key]; twice {
			return fmt.Errorf("%s is both %q and %q", key, was, v)
		}
		w.spec.Linux.Sysctl[key] = v
	}
	return nil
}

// ociVersion returns the version that the boundary requires, or ours where it
// requires less.
func ociVersion(least order.Version) string {
	if order.Version(configVersion).Over(least) == nil {
		return configVersion
	}
	return string(least)
}
