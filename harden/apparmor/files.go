package apparmor

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/immure-dev/immure/harden"
	"github.com/immure-dev/immure/harden/grant"
)

// Suffixes of a path's pattern.
const (
	itself  = ""
	beneath = "{,/,/**}" // a file, or a directory and all in it
)

// letters are AppArmor's for the rights of a boundary. Locking goes with
// reading and with writing.
var letters = map[string]string{"read": "rk", "write": "wk", "create": "wl", "execute": "mix"}

// permissions collects letters by quoted pattern.
type permissions map[string]string

func (p permissions) add(path, suffix, access string) error {
	pattern, err := quotePath(path, suffix)
	if err == nil {
		p[pattern] += access
	}
	return err
}

// rules writes each pattern once, its letters in the order of apparmor.d(5).
func (p permissions) rules(prefix string) []string {
	var rules []string
	for _, pattern := range slices.Sorted(maps.Keys(p)) {
		var access strings.Builder
		for _, letter := range []string{"r", "w", "k", "l", "m", "ix", "x"} {
			if strings.Contains(p[pattern], letter) && (letter != "x" || !strings.Contains(p[pattern], "ix")) {
				access.WriteString(letter)
			}
		}
		rules = append(rules, prefix+pattern+" "+access.String())
	}
	return rules
}

// fileRules grant the boundary's rights and what its mounts are for, and deny
// what is hidden or locked whatever else is granted.
func fileRules(b harden.Boundary) ([]string, error) {
	allow := make(permissions)
	if b.FileRights.IsAny() {
		if err := allow.add("/", beneath, "rwklmix"); err != nil {
			return nil, err
		}
	}
	for _, r := range b.FileRights.Members() {
		right, at, _ := strings.Cut(string(r), " ")
		if err := allow.add(at, beneath, letters[right]); err != nil {
			return nil, fmt.Errorf("fileRights: %w", err)
		}
	}
	for _, s := range b.Mounts.Members() {
		if err := mountRights(allow, s); err != nil {
			return nil, fmt.Errorf("mounts: %w", err)
		}
	}
	deny := make(permissions)
	for _, p := range b.MaskedPaths.Paths() {
		if err := deny.add(p, beneath, "rwklmx"); err != nil {
			return nil, fmt.Errorf("maskedPaths: %w", err)
		}
	}
	for _, p := range b.ReadonlyPaths.Paths() {
		if err := deny.add(p, beneath, "wkl"); err != nil {
			return nil, fmt.Errorf("readonlyPaths: %w", err)
		}
	}
	return append(allow.rules(""), deny.rules("deny ")...), nil
}

// devices are the nodes that every container has.
// Source: runtime-spec config-linux.md, "Default Devices".
var devices = []string{"/dev/full", "/dev/null", "/dev/ptmx", "/dev/random", "/dev/tty", "/dev/urandom", "/dev/zero"}

// mountRights grant what a mount is there for: reading, and writing where it is
// not read-only. Nothing in it may be executed unless a file right says so. Of
// /dev the nodes are granted rather than the directory.
func mountRights(allow permissions, s grant.Slot) error {
	access := "rk"
	switch {
	case s.At == "/dev" && s.Kind == "tmpfs":
		for _, node := range devices {
			if err := allow.add(node, itself, "rw"); err != nil {
				return err
			}
		}
		return allow.add("/dev", "/", "r")
	case s.Kind == "proc" || s.Kind == "sysfs" || s.Kind == "cgroup":
		access = "r"
	case !slices.Contains(s.Flags, "ro"):
		access = "rwkl"
	}
	return allow.add(s.At, beneath, access)
}
