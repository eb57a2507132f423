package oci

import (
	"github.com/opencontainers/runtime-spec/specs-go"
)

// pick returns the names of the settings that are asked for.
func pick(settings []setting) []string {
	var names []string
	for _, s := range settings {
		if s.asked {
			names = append(names, s.name)
		}
	}
	return names
}

type setting struct {
	name  string
	asked bool
}

func nonzero[T comparable](p *T) bool {
	var zero T
	return p != nil && *p != zero
}

func otherMemory(m *specs.LinuxMemory) []string {
	if m == nil {
		return nil
	}
	return pick([]setting{
		{"memory.disableOOMKiller", nonzero(m.DisableOOMKiller)},
		//lint:ignore SA1019 deprecated, and runtimes still read it
		{"memory.kernel", m.Kernel != nil},
		{"memory.kernelTCP", m.KernelTCP != nil},
		{"memory.reservation", nonzero(m.Reservation)},
		{"memory.swappiness", m.Swappiness != nil},
		{"memory.useHierarchy", m.UseHierarchy != nil},
	})
}

func otherCPU(c *specs.LinuxCPU) []string {
	if c == nil {
		return nil
	}
	return pick([]setting{
		{"cpu.burst", nonzero(c.Burst)},
		{"cpu.cpus", c.Cpus != ""},
		{"cpu.idle", c.Idle != nil},
		{"cpu.mems", c.Mems != ""},
		{"cpu.realtimePeriod", nonzero(c.RealtimePeriod)},
		{"cpu.realtimeRuntime", nonzero(c.RealtimeRuntime)},
		{"cpu.shares", nonzero(c.Shares)},
	})
}

// otherDevices names settings of devices; throttling is left out, for it only
// narrows.
func otherDevices(res *specs.LinuxResources) []string {
	list := []setting{{"hugepageLimits", len(res.HugepageLimits) > 0}, {"rdma", len(res.Rdma) > 0}}
	if io := res.BlockIO; io != nil {
		list = append(list, setting{"blockIO.weight", nonzero(io.Weight)}, setting{"blockIO.leafWeight", nonzero(io.LeafWeight)},
			setting{"blockIO.weightDevice", len(io.WeightDevice) > 0})
	}
	if n := res.Network; n != nil {
		list = append(list, setting{"network.classID", nonzero(n.ClassID)}, setting{"network.priorities", len(n.Priorities) > 0})
	}
	return pick(list)
}
