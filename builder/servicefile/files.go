package servicefile

import (
	"fmt"

	"github.com/immure-dev/immure/harden/grant"
	"github.com/immure-dev/immure/harden/order"
)

func (d *decoder) files(f *File) []field {
	return []field{
		{"read", false, func(n *node, p string) { f.Files.Read = d.paths(n, p) }},
		{"execute", false, func(n *node, p string) { f.Files.Execute = d.paths(n, p) }},
		{"scratch", false, func(n *node, p string) {
			d.list(n, p, func(n *node, p string) {
				if s, ok := d.scratch(n, p); ok {
					f.Files.Scratch = append(f.Files.Scratch, s)
				}
			})
		}},
		{"add", false, func(n *node, p string) {
			d.list(n, p, func(n *node, p string) {
				var a Add
				d.mapping(n, p, []field{
					{"from", true, func(n *node, p string) { set(&a.From)(d.text(n, p)) }},
					{"to", true, func(n *node, p string) { set(&a.To)(d.path(n, p)) }},
				})
				f.Files.Add = append(f.Files.Add, a)
			})
		}},
	}
}

// paths reads a list of paths, or "any", which is the root and all beneath.
func (d *decoder) paths(n *node, p string) []string {
	if n.kind == isText && n.text == order.Any {
		return []string{"/"}
	}
	out := []string{}
	d.list(n, p, func(n *node, p string) {
		if s, ok := d.path(n, p); ok {
			out = append(out, s)
		}
	})
	return out
}

// kept are places that hold no file of the service: mounted over, or immure's.
var kept = []string{"/proc", "/sys", "/dev", "/.immure"}

// place reads where something is mounted or made.
func (d *decoder) place(n *node, p string) (string, bool) {
	s, ok := d.path(n, p)
	if !ok {
		return "", false
	}
	for _, k := range kept {
		if order.Beneath(s, k) || s == "/" {
			d.add(n.at, "%s: nothing may be mounted at %s", p, s)
			return "", false
		}
	}
	return s, true
}

func (d *decoder) scratch(n *node, p string) (s Scratch, ok bool) {
	if n.kind != isMapping {
		s.At, ok = d.place(n, p)
		return s, ok
	}
	d.mapping(n, p, []field{
		{"at", true, func(n *node, p string) { s.At, ok = d.place(n, p) }},
		{"size", true, func(n *node, p string) { s.SizeMaxBytes, _ = d.resource(n, p, bytesOf).Value() }},
	})
	return s, ok
}

// Scratch slots are of kind tmpfs and come from files.scratch.
func (d *decoder) mounts(n *node, p string) order.Set[grant.Slot] {
	slots := []grant.Slot{}
	d.list(n, p, func(n *node, p string) {
		if s, ok := d.mount(n, p); ok {
			slots = append(slots, s)
		}
	})
	return order.Of(slots...)
}

func (d *decoder) mount(n *node, p string) (grant.Slot, bool) {
	before := len(d.found)
	var at, kind, source, digest string
	writable := false
	d.mapping(n, p, []field{
		{"at", true, func(n *node, p string) { at, _ = d.place(n, p) }},
		{"kind", true, func(n *node, p string) { kind, _ = d.choice(n, p, "config", "secret", "volume", "bind") }},
		{"source", false, func(n *node, p string) { source, _ = d.path(n, p) }},
		{"writable", false, func(n *node, p string) { writable = d.is(n, p, isBool) && n.text == "true" }},
		{"digest", false, func(n *node, p string) { digest, _ = d.text(n, p) }},
	})
	if len(d.found) > before {
		return grant.Slot{}, false
	}
	flags := []string{"nodev", "noexec", "nosuid"}
	if !writable {
		flags = append(flags, "ro")
	} else if kind != "volume" && kind != "bind" {
		d.add(n.at, "%s: a %s is never writable", p, kind)
		return grant.Slot{}, false
	}
	slot := grant.NewSlot(at, kind, flags...)
	slot.Source = source
	if digest != "" {
		slot.Digest = order.Exact(digest)
	}
	if err := slot.Check(); err != nil {
		d.add(n.at, "%s: %v", p, err)
		return grant.Slot{}, false
	}
	return slot, true
}

// envelope reads a word, or facets to lay over the restricted envelope.
func (d *decoder) envelope(n *node, p string, f *File) {
	if n.kind != isMapping {
		set(&f.Envelope)(d.choice(n, p, "restricted", "strict"))
		return
	}
	f.EnvelopeFacets = make(map[string]any)
	var fields []field
	for _, name := range facetNames {
		fields = append(fields, field{name, false, func(n *node, _ string) { f.EnvelopeFacets[name] = plain(n) }})
	}
	d.mapping(n, p, fields)
}

// plain is n as encoding/json would hold it. Numbers stay texts of digits.
func plain(n *node) any {
	switch n.kind {
	case isMapping:
		m := make(map[string]any, len(n.entries))
		for _, e := range n.entries {
			m[e.name] = plain(e.value)
		}
		return m
	case isList:
		list := make([]any, 0, len(n.items))
		for _, i := range n.items {
			list = append(list, plain(i))
		}
		return list
	case isNumber:
		return number(n.text)
	case isBool:
		return n.text == "true"
	case isNull:
		return nil
	}
	return n.text
}

// number keeps the digits, so that no value is rounded.
type number string

func (n number) MarshalJSON() ([]byte, error) {
	for _, r := range n {
		if r < '0' || r > '9' {
			return nil, fmt.Errorf("number %s is not a plain decimal one", string(n))
		}
	}
	return []byte(n), nil
}
