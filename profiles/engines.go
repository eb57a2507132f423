package profiles

import (
	"github.com/immure-dev/immure/harden/grant"
	"github.com/immure-dev/immure/harden/order"
)

// What engines ask for, by their defaults: Docker 20.10 (moby oci/defaults.go),
// Podman 4.3 (pkg/specgen/generate/config_linux.go), containerd 1.6
// (oci/spec.go, pkg/cri/server/container_create_linux.go).

// maskedByAll are the paths that each of those engines hides; maskedByAny adds
// those that one of them, or a later version, hides or locks.
var (
	maskedByAll = []string{
		"/proc/acpi", "/proc/kcore", "/proc/keys", "/proc/latency_stats", "/proc/sched_debug", "/proc/scsi",
		"/proc/timer_list", "/proc/timer_stats", "/sys/firmware",
	}
	maskedByAny = append([]string{
		"/proc/asound",                  // Docker, containerd; Podman locks it
		"/proc/interrupts",              // moby 28: timing of other containers' input
		"/sys/dev/block",                // Podman
		"/sys/devices/virtual/powercap", // moby 24.0.7: GHSA-jq35-85cj-fj4p, power side channel
		"/sys/fs/selinux",               // Podman
	}, maskedByAll...)
)

// readonlyPaths are locked by each of the engines.
var readonlyPaths = []string{"/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"}

// runtimeDevices are let through by runc and crun whatever they are asked for:
// null, zero, full, random, urandom, tty, ptmx, pseudo-terminals, and mknod of
// any device, which takes a capability that nobody here has.
//
// Source: runc libcontainer/specconv/spec_linux.go, AllowedDevices; crun
// src/libcrun/cgroup-resources.c.
var runtimeDevices = []grant.Device{
	"b *:* m", "c *:* m", "c 1:3 rwm", "c 1:5 rwm", "c 1:7 rwm", "c 1:8 rwm", "c 1:9 rwm", "c 5:0 rwm", "c 5:2 rwm", "c 136:* rwm",
}

// engineCgroups are beneath the engines' own parents, as the cgroupfs driver and
// the systemd driver name them: a cgroup elsewhere can be another program's,
// whose limits would change, or the root, which has none.
var engineCgroups = []grant.Pattern{
	"/default/*",             // containerd: ctr
	"/docker/*",              // Docker
	"/k8s.io/*",              // containerd: CRI without a parent
	"/kubepods.slice/*",      // Kubernetes
	"/kubepods/*",            // Kubernetes
	"/libpod_parent/*",       // Podman
	"kubepods*",              // Kubernetes, systemd: kubepods-besteffort-pod….slice:cri-containerd:…
	"machine.slice:libpod:*", // Podman, systemd
	"system.slice:docker:*",  // Docker, systemd
}

// consoleDevice is let through by Docker on top.
const consoleDevice grant.Device = "c 5:1 rwm"

// engineMounts are what the engines mount without being asked.
func engineMounts() []grant.Slot {
	dev := grant.NewSlot("/dev", "tmpfs", "nosuid")
	dev.SizeMaxBytes = order.AtMost(64 * mebibyte)
	return []grant.Slot{
		dev,
		grant.NewSlot("/dev/mqueue", "mqueue", "nodev", "noexec", "nosuid"),
		grant.NewSlot("/dev/shm", "engine"),             // the pod's, in Kubernetes
		grant.NewSlot("/dev/termination-log", "engine"), // Kubernetes
		grant.NewSlot("/etc/hostname", "hosts"),
		grant.NewSlot("/etc/hosts", "hosts"),
		grant.NewSlot("/etc/resolv.conf", "hosts"),
		grant.NewSlot("/run", "tmpfs", "nodev", "nosuid"), // Podman; ctr leaves nodev out and is refused
		grant.NewSlot("/run/.containerenv", "engine"),     // Podman
		grant.NewSlot("/sys", "sysfs", "nodev", "noexec", "nosuid", "ro"),
		grant.NewSlot("/sys/fs/cgroup", "cgroup", "nodev", "noexec", "nosuid", "ro"),
		grant.NewSlot("/tmp", "tmpfs", "nodev", "nosuid"),     // Podman
		grant.NewSlot("/var/tmp", "tmpfs", "nodev", "nosuid"), // Podman
	}
}

// engineEnv are the variables that the engines set. Kubernetes' variables of
// other services have any name; a pod leaves them out by enableServiceLinks:
// false.
var engineEnv = []grant.Env{
	"HOSTNAME=*", "KUBERNETES_*", "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "TERM=*", "container=*",
}

// engineSysctls are set by Docker, and the last one by Podman, so that ports
// below 1024 and ping need no capability in an own network namespace.
var engineSysctls = []grant.Pattern{
	"net.ipv4.ip_unprivileged_port_start=0", "net.ipv4.ping_group_range=0 2147483647", "net.ipv4.ping_group_range=0 0",
}

// engineResources are settings that Kubernetes always sends: a share of the
// processors, and limits of huge pages.
var engineResources = []grant.Name{"cpu.shares", "hugepageLimits"}
