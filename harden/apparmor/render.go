package apparmor

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync"

	"github.com/immure-dev/immure/harden"
)

// serviceForm is of a service's name within a profile's.
var serviceForm = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^[a-z0-9]([a-z0-9._-]{0,61}[a-z0-9])?$`) })

// Render writes the profile of a service that lives in b, for
// /etc/apparmor.d or apparmor_parser. The same boundary gives the same bytes.
func Render(service string, b harden.Boundary) (string, error) {
	name, body, err := profile(service, b)
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("abi <abi/3.0>,\n\nprofile \"%s\" {\n%s}\n", name, body), nil
}

// Name returns the name of the profile that [Render] writes:
// immure-SERVICE-DIGEST with the first 12 hexadecimal digits of the SHA-256 of
// what stands between the braces.
func Name(service string, b harden.Boundary) (string, error) {
	name, _, err := profile(service, b)
	return name, err
}

func profile(service string, b harden.Boundary) (name, body string, err error) {
	if !serviceForm().MatchString(service) {
		return "", "", fmt.Errorf("render AppArmor profile: %q is no service's name", service)
	}
	if err := b.Check(); err != nil {
		return "", "", fmt.Errorf("render AppArmor profile: %w", err)
	}
	files, err := fileRules(b)
	if err != nil {
		return "", "", fmt.Errorf("render AppArmor profile: %w", err)
	}
	var text strings.Builder
	for _, rule := range slices.Concat(capabilityRules(b), networkRules(b), scopeRules(b), files) {
		text.WriteString("  " + rule + ",\n")
	}
	sum := sha256.Sum256([]byte(text.String()))
	return "immure-" + service + "-" + hex.EncodeToString(sum[:])[:12], text.String(), nil
}

// capabilityRules grant what the process may hold.
func capabilityRules(b harden.Boundary) []string {
	permitted := b.Capabilities.Permitted
	if permitted.IsAny() {
		return []string{"capability"}
	}
	var rules []string
	for _, c := range permitted.Members() {
		name := strings.ToLower(strings.TrimPrefix(string(c), "CAP_"))
		if strings.Trim(name, "abcdefghijklmnopqrstuvwxyz_") == "" {
			rules = append(rules, "capability "+name)
		}
	}
	return rules
}

// networkRules grant the kinds of sockets that the ports need. SCTP comes as
// streams and as sequenced packets.
func networkRules(b harden.Boundary) []string {
	if b.Network.Listen.IsAny() || b.Network.Connect.IsAny() {
		return []string{"network inet", "network inet6"}
	}
	kinds := make(map[string]bool)
	for _, p := range b.Network.Listen.Members() {
		_, _, proto, _ := p.Span()
		kinds[proto] = true
	}
	for _, e := range b.Network.Connect.Members() {
		_, _, port, _ := e.Split()
		_, _, proto, _ := port.Span()
		kinds[proto] = true
	}
	var rules []string
	for _, family := range []string{"inet", "inet6"} {
		if kinds["udp"] {
			rules = append(rules, "network "+family+" dgram")
		}
		if kinds["sctp"] {
			rules = append(rules, "network "+family+" seqpacket")
		}
		if kinds["tcp"] || kinds["sctp"] {
			rules = append(rules, "network "+family+" stream")
		}
	}
	return rules
}

// scopeRules keep signals and abstract sockets within the profile. Signals of
// the runtime that stops the service come from outside.
func scopeRules(b harden.Boundary) []string {
	var rules []string
	if b.Scopes.Signals == "any" {
		rules = append(rules, "signal")
	} else {
		rules = append(rules, "signal (send, receive) peer=@{profile_name}",
			"signal receive peer=unconfined", "signal receive peer=crun", "signal receive peer=runc")
	}
	if b.Scopes.Ptrace == "any" {
		rules = append(rules, "ptrace")
	}
	if b.Scopes.AbstractSockets == "any" {
		return append(rules, "unix")
	}
	return append(rules, "unix (create, bind, listen, getattr, setattr, getopt, setopt, shutdown)",
		"unix (accept, connect, send, receive) peer=(label=@{profile_name})")
}
