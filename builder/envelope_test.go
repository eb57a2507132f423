package builder

import (
	"strings"
	"testing"
)

// An envelope that states more than is usual needs a waiver for it, in whatever
// facet: most of these hand out the host.
func TestStatedEnvelopesNeedWaivers(t *testing.T) {
	for name, facets := range map[string]string{
		"hooks":            "hooks: any",
		"device nodes":     "devices.nodes: any",
		"device access":    "devices.access: any",
		"a disk":           "devices.access: ['b 8:0 rwm']",
		"sysctls":          "sysctls: any",
		"one sysctl":       "sysctls: ['kernel.core_pattern=*']",
		"annotations":      "annotations: any",
		"cgroups":          "cgroupsPath: any",
		"host devices":     "netDevices: any",
		"idmapped mounts":  "idMappedMounts: any",
		"groups":           "user.groups: any",
		"resources":        "resources.other: any",
		"propagation":      "propagation: shared",
		"nothing masked":   "maskedPaths: []",
		"nothing locked":   "readonlyPaths: []",
		"joined processes": "namespaces.pid: joined",
		"joined mounts":    "namespaces.mount: joined",
		"joined network":   "namespaces.network: joined",
		"joined ipc":       "namespaces.ipc: joined",
		"writable sysfs":   "mounts: [{at: /x, kind: sysfs, source: '', flags: [], propagation: private, sizeMaxBytes: any, digest: any}]",
		"a shell":          "exec: [{args: ['/bin/s*', '*'], for: any}]",
		"personality":      "process.personality: any",
		"clone":            "syscalls: {architectures: [x86_64], default: errno 1, flags: [], rules: [{action: allow, names: [clone], args: ['0 maskedEq 0 0']}]}",
		"sockets":          "syscalls: {architectures: [x86_64], default: errno 1, flags: [], rules: [{action: allow, names: [socket], args: ['0 ge 0']}]}",
		"every call":       "syscalls: {architectures: [x86_64], default: allow, flags: [], rules: []}",
	} {
		t.Run(name, func(t *testing.T) {
			_, _, err := composed(t, head+"envelope: {"+facets+"}\n")
			if err == nil || !strings.Contains(err.Error(), "needs a waiver") {
				t.Errorf("got %v, want that it needs a waiver", err)
			}
		})
	}
	if _, _, err := composed(t, head+"envelope: {process.env: ['PATH=*', 'LD_PRELOAD=*']}\n"); err == nil || !strings.Contains(err.Error(), "dynamic loader") {
		t.Errorf("a loader variable: %v", err)
	}
}
