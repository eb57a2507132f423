package profiles

import (
	"bytes"
	"embed"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"sync"

	"github.com/immure-dev/immure/harden"
)

//go:embed data/*.json
var files embed.FS

// A group is a set of calls that are needed for one reason.
type group struct {
	Why     string   `json:"why"`
	Sources []string `json:"sources"`
	// Calls are let through whatever their arguments.
	Calls []string `json:"calls"`
	// When are calls let through under conditions; see parseRules.
	When []string `json:"when"`
	// Errno lists calls by the number of the error that they are answered.
	Errno map[string][]string `json:"errno"`
}

// A listing is an entry of data/profiles.json.
type listing struct {
	Summary string   `json:"summary"`
	Kind    string   `json:"kind"`
	Sources []string `json:"sources"`
	Groups  []string `json:"groups"`
}

// A floor is an entry of data/floors.json, by "runtime version".
type floor struct {
	Source string   `json:"source"`
	Calls  []string `json:"calls"`
	Groups []string `json:"groups"`
}

type catalogue struct {
	constants map[string]uint64
	groups    map[string]group
	profiles  map[string]listing
	floors    map[string]floor
	// notAarch64 names the calls that only older architectures have.
	notAarch64 []string
}

// data reads the embedded files once, and only when they are asked for: package
// initialisation is paid at every start. They are part of the program, so one
// that cannot be read is a fault of the program.
var data = sync.OnceValue(func() *catalogue {
	c := &catalogue{constants: make(map[string]uint64)}
	var byHeader map[string]map[string]uint64
	load("constants", &byHeader)
	for _, names := range byHeader {
		maps.Copy(c.constants, names)
	}
	load("groups", &c.groups)
	load("profiles", &c.profiles)
	load("floors", &c.floors)
	var absent struct {
		Source string   `json:"source"`
		Groups []string `json:"groups"`
		Calls  []string `json:"calls"`
	}
	load("aarch64-absent", &absent)
	c.notAarch64 = absent.Calls
	for _, name := range absent.Groups {
		c.notAarch64 = append(c.notAarch64, c.groups[name].Calls...)
	}
	return c
})

// What few programs ask for is read apart.
var (
	dockerData = sync.OnceValue(func() (s harden.Syscalls) {
		load("docker-default", &s)
		return s
	})
	nameData = sync.OnceValue(func() (n names) {
		load("names", &n)
		return n
	})
	dangerData = sync.OnceValue(func() map[string]danger {
		var list []danger
		load("dangerous", &list)
		byCall := make(map[string]danger)
		for _, d := range list {
			for _, call := range d.Calls {
				byCall[call] = d
			}
		}
		return byCall
	})
)

func load(name string, v any) {
	text, err := files.ReadFile("data/" + name + ".json")
	if err != nil {
		panic(err)
	}
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.DisallowUnknownFields()
	if err := dec.Decode(v); err != nil {
		panic(fmt.Sprintf("read data/%s.json: %v", name, err))
	}
}

// rules returns the rules of a group.
func (c *catalogue) rules(name string) ([]harden.SyscallRule, error) {
	g, ok := c.groups[name]
	if !ok {
		return nil, fmt.Errorf("no group of system calls %q", name)
	}
	rules := []harden.SyscallRule{{Names: g.Calls, Action: harden.Allow}}
	for _, text := range g.When {
		more, err := c.parseRules(text)
		if err != nil {
			return nil, fmt.Errorf("group %q: %w", name, err)
		}
		rules = append(rules, more...)
	}
	for _, number := range slices.Sorted(maps.Keys(g.Errno)) {
		n, err := strconv.ParseUint(number, 10, 12)
		if err != nil || n == 0 {
			return nil, fmt.Errorf("group %q: %q is no error number", name, number)
		}
		rules = append(rules, harden.SyscallRule{Names: g.Errno[number], Action: harden.Errno(uint16(n))})
	}
	return rules, nil
}

// union returns the rules of several groups.
func (c *catalogue) union(groups []string) ([]harden.SyscallRule, error) {
	var all []harden.SyscallRule
	for _, name := range groups {
		rules, err := c.rules(name)
		if err != nil {
			return nil, err
		}
		all = append(all, rules...)
	}
	return all, nil
}
