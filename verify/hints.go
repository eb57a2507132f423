package verify

import "strings"

// mends says what to do about a refusal, by facet or by the group of facets
// before the dot.
var mends = map[string]string{
	"syscalls":         "use the image's own filter (immure render --to seccomp) or one that is tighter",
	"capabilities":     "drop it, or state it under boundary.capabilities and sign again",
	"noNewPrivileges":  "set noNewPrivileges",
	"user":             "run as the signed user, or state another under run.user and sign again",
	"userNamespace":    "map the signed ids only",
	"namespaces":       "give the container a namespace of its own",
	"rootfs":           "make the root file system read-only",
	"mounts":           "remove the mount, or state it under boundary.mounts and sign again",
	"propagation":      "use a stricter mount propagation",
	"maskedPaths":      "mask the paths named",
	"readonlyPaths":    "make the paths named read-only",
	"devices":          "remove the device",
	"apparmor":         "load the image's profile (immure render --to apparmor) and enforce it",
	"selinux":          "use the signed label",
	"exec":             "state the command under boundary.exec and sign again",
	"memoryProtection": "forbid it, or waive it in the service file and sign again",
	"network":          "state it under boundary.listen or boundary.connect and sign again",
	"rlimits":          "lower the limit",
	"resources":        "lower the limit to the signed one, or raise it in the service file and sign again",
	"cgroupsPath":      "use a cgroup path that was signed",
	"netDevices":       "leave the host's devices where they are",
	"idMappedMounts":   "mount without id mapping",
	"sysctls":          "leave the sysctl out",
	"hooks":            "remove the hook",
	"process":          "start what was signed, as it was signed",
	"annotations":      "remove the annotation: it changes what the runtime does",
	"runtime":          "use a runtime that is new enough",
}

func mend(facet string) string {
	group, _, _ := strings.Cut(facet, ".")
	if m, ok := mends[group]; ok {
		return m
	}
	return "make it as strict as was signed"
}

// holders names who judges a facet that a request cannot express.
var holders = map[string]string{
	"fileRights":         "launcher, apparmor",
	"exec":               "gate",
	"scopes":             "launcher, apparmor",
	"memoryProtection":   "builder, seccomp",
	"landlock":           "launcher",
	"network":            "live, network",
	"process.executable": "run, gate, live",
	"runtime.digest":     "gate",
}

func heldBy(facet string) string {
	if who, ok := holders[facet]; ok {
		return who
	}
	group, _, _ := strings.Cut(facet, ".")
	if who, ok := holders[group]; ok {
		return who
	}
	return "gate, live"
}
