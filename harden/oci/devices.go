package oci

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/opencontainers/runtime-spec/specs-go"

	"github.com/immure-dev/immure/harden/grant"
	"github.com/immure-dev/immure/harden/order"
)

// defaultNodes are what every runtime makes itself.
// Source: runtime-spec config-linux.md, "Default Devices".
var defaultNodes = map[string]grant.Device{
	"/dev/null": "c 1:3 rwm", "/dev/zero": "c 1:5 rwm", "/dev/full": "c 1:7 rwm",
	"/dev/random": "c 1:8 rwm", "/dev/urandom": "c 1:9 rwm", "/dev/tty": "c 5:0 rwm",
}

func (r *reader) devices() {
	var nodes []grant.Device
	for _, d := range r.linux.Devices {
		node, err := nodeOf(d)
		if err != nil {
			r.unread("devices.nodes", "%v", err)
			continue
		}
		if defaultNodes[d.Path] != node {
			nodes = append(nodes, node)
		}
	}
	r.b.Devices.Nodes = order.Of(nodes...)
	r.b.Devices.Access = r.access()
}

// nodeOf reads a device node. One outside /dev could stand in for a file.
func nodeOf(d specs.LinuxDevice) (grant.Device, error) {
	kind := d.Type
	if kind == "u" { // an unbuffered character device
		kind = "c"
	}
	if !clean(d.Path) || !order.Beneath(d.Path, "/dev") || d.Path == "/dev" {
		return "", fmt.Errorf("device node at %q is not beneath /dev", d.Path)
	}
	if kind == "a" {
		return "", fmt.Errorf("device node at %q has no type", d.Path)
	}
	node := grant.Device(fmt.Sprintf("%s %d:%d rwm", kind, d.Major, d.Minor))
	return node, node.Check()
}

// access follows the rules of the device cgroup in order. Without rules all is
// let through; denying everything begins a list of what is allowed. A denial of
// less is not subtracted, which reads more than there is and never less.
func (r *reader) access() order.Set[grant.Device] {
	var allowed []grant.Device
	all := true
	if r.linux.Resources == nil {
		return order.AnySet[grant.Device]()
	}
	for i, rule := range r.linux.Resources.Devices {
		d, err := deviceRule(rule)
		switch {
		case err != nil:
			r.unread("devices.access", "rule %d: %v", i, err)
		case rule.Allow && strings.HasPrefix(string(d), "a "):
			allowed = append(allowed, everyDevice) // a runtime looks at no number then
		case rule.Allow:
			allowed = append(allowed, d)
		case d == everyDevice:
			allowed, all = nil, false
		}
	}
	if all {
		return order.AnySet[grant.Device]()
	}
	return order.Of(allowed...)
}

const everyDevice = grant.Device("a *:* rwm")

func deviceRule(rule specs.LinuxDeviceCgroup) (grant.Device, error) {
	kind := rule.Type
	if kind == "" {
		kind = "a"
	}
	var access strings.Builder
	for _, letter := range "rwm" {
		if strings.ContainsRune(rule.Access, letter) {
			access.WriteRune(letter)
		}
	}
	if strings.Trim(rule.Access, "rwm") != "" {
		return "", fmt.Errorf("access %q is not of r, w and m", rule.Access)
	}
	d := grant.Device(fmt.Sprintf("%s %s:%s %s", kind, deviceNumber(rule.Major), deviceNumber(rule.Minor), access.String()))
	return d, d.Check()
}

func deviceNumber(n *int64) string {
	if n == nil || *n == -1 {
		return "*"
	}
	return strconv.FormatInt(*n, 10)
}

// renderAccess writes the rules for what a boundary lets through.
func renderAccess(set order.Set[grant.Device]) ([]specs.LinuxDeviceCgroup, error) {
	if set.IsAny() {
		return []specs.LinuxDeviceCgroup{{Allow: true, Access: "rwm"}}, nil
	}
	rules := []specs.LinuxDeviceCgroup{{Allow: false, Access: "rwm"}}
	for _, d := range set.Members() {
		kind, rest, _ := strings.Cut(string(d), " ")
		numbers, access, _ := strings.Cut(rest, " ")
		major, minor, _ := strings.Cut(numbers, ":")
		if kind == "a" && d != everyDevice {
			return nil, fmt.Errorf("device %q: a runtime takes type a for every device; write b and c", string(d))
		}
		rules = append(rules, specs.LinuxDeviceCgroup{
			Allow: true, Type: kind, Major: numberOf(major), Minor: numberOf(minor), Access: access,
		})
	}
	return rules, nil
}

// numberOf reads a device number; nil is any. The grant has been checked.
func numberOf(text string) *int64 {
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return nil
	}
	return &n
}

// renderNodes takes the nodes that the caller asks for, if they are granted.
func renderNodes(set order.Set[grant.Device], nodes []specs.LinuxDevice) ([]specs.LinuxDevice, error) {
	for _, d := range nodes {
		node, err := nodeOf(d)
		if err != nil {
			return nil, err
		}
		if !set.Covers(node) {
			return nil, fmt.Errorf("device node %q at %s is not granted", string(node), d.Path)
		}
	}
	return slices.Clone(nodes), nil
}
