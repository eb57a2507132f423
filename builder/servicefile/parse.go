package servicefile

import (
	"slices"
	"strings"

	"github.com/immure-dev/immure/harden/order"
)

// Parse reads the service file data. The name stands before each problem; the
// error is an [*Error] that lists them. Waivers are not judged here: see
// [File.CheckWaivers].
func Parse(name string, data []byte) (*File, error) {
	root, err := document(name, data)
	if err != nil {
		return nil, err
	}
	d := &decoder{problems: problems{file: name}, at: make(map[string]Position)}
	f := &File{
		Epoch: 1, Kind: "server", Envelope: "restricted", Immutability: "fixed",
		Platforms: []string{"linux/amd64"}, name: name, at: d.at,
	}
	f.Run.UID, f.Run.GID, f.Run.Cwd = defaultID, defaultID, "/"
	d.mapping(root, "", d.top(f))
	if len(d.found) == 0 {
		d.contradictions(f)
	}
	if err := d.err(); err != nil {
		return nil, err
	}
	return f, nil
}

// defaultID is the user and group of a service that states none: an
// unprivileged one that no distribution gives to anyone else.
const defaultID = 65532

// serviceName is a DNS label, which is a valid user name too.
var serviceName = pattern(`^[a-z]([a-z0-9-]{0,30}[a-z0-9])?$`)

func (d *decoder) top(f *File) []field {
	return []field{
		{"service", true, func(n *node, p string) { f.Service = d.service(n, p) }},
		{"epoch", false, func(n *node, p string) {
			if v, ok := d.integer(n, p, 1, order.MaxLimit); ok {
				f.Epoch = v
			}
		}},
		{"from", true, func(n *node, p string) { d.from(n, p, &f.From) }},
		{"run", true, func(n *node, p string) { d.mapping(n, p, d.run(f)) }},
		{"kind", false, func(n *node, p string) { set(&f.Kind)(d.choice(n, p, "server", "job")) }},
		{"boundary", false, func(n *node, p string) { d.mapping(n, p, d.boundary(f)) }},
		{"envelope", false, func(n *node, p string) { d.envelope(n, p, f) }},
		{"launcher", false, func(n *node, p string) {
			if d.is(n, p, isBool) && n.text != "false" {
				d.add(n.at, "launcher: this version bakes no launcher: write false, or leave the key out")
			}
		}},
		{"landlock", false, func(n *node, p string) {
			if s, ok := d.choice(n, p, "require", "best-effort", "off"); ok && s != "off" {
				d.add(n.at, "landlock: %s needs a launcher, and this version bakes none: write off, or leave the key out", s)
			}
		}},
		{"immutability", false, func(n *node, p string) { set(&f.Immutability)(d.choice(n, p, "fixed", "strict")) }},
		{"waivers", false, func(n *node, p string) { d.waivers(n, p, f) }},
		{"platforms", false, func(n *node, p string) { d.platforms(n, p) }},
		{"policy", false, d.unserved("policies above services")},
		{"evidence", false, d.unserved("observed evidence")},
	}
}

// unserved reads a key of the format that this version cannot honour.
func (d *decoder) unserved(what string) func(*node, string) {
	return func(n *node, path string) {
		d.add(d.at[path], "%s: this version does not know %s: leave the key out", path, what)
	}
}

// set returns a function that stores a value which was read well.
func set[T any](to *T) func(T, bool) {
	return func(v T, ok bool) {
		if ok {
			*to = v
		}
	}
}

func (d *decoder) service(n *node, p string) string {
	s, ok := d.text(n, p)
	if !ok {
		return ""
	}
	if !serviceName().MatchString(s) || s == "root" {
		d.add(n.at, "service %q: write 1 to 32 lower-case letters, digits and hyphens, a letter first, and not root", s)
	}
	return s
}

func (d *decoder) platforms(n *node, p string) {
	list := d.texts(n, p)
	if n.kind == isList && len(n.items) == len(list) && !slices.Equal(list, []string{"linux/amd64"}) {
		d.add(n.at, "platforms: this version builds [linux/amd64]")
	}
}

func (d *decoder) from(n *node, p string, from *From) {
	fields := []field{
		{"go", false, func(n *node, p string) { set(&from.Go)(d.text(n, p)) }},
		{"binary", false, func(n *node, p string) { set(&from.Binary)(d.text(n, p)) }},
		{"rootfs", false, func(n *node, p string) { set(&from.Rootfs)(d.text(n, p)) }},
		{"image", false, func(n *node, p string) { set(&from.Image)(d.text(n, p)) }},
		{"debian", false, func(n *node, p string) {
			from.Debian = &Debian{Lock: "immure.lock"}
			d.mapping(n, p, d.debian(from.Debian))
		}},
		{"dockerfile", false, func(n *node, p string) {
			d.add(d.at[p], "from.dockerfile: this version builds from go, binary, rootfs, image or debian")
		}},
	}
	d.mapping(n, p, fields)
	if n.kind != isMapping {
		return
	}
	var given []string
	for _, e := range n.entries {
		if _, ok := find(fields, e.name); ok {
			given = append(given, e.name)
		}
	}
	switch {
	case len(n.entries) == 0:
		d.add(n.at, "from must hold one of go, binary, rootfs, image, debian")
	case len(given) > 1:
		d.add(n.entries[1].at, "from must hold exactly one source, not %s: one service, one image", strings.Join(given, " and "))
	}
}

// debianName is a package's name. Source: Debian Policy, section 5.6.1.
var debianName = pattern(`^[a-z0-9][a-z0-9+.-]{1,127}$`)

func (d *decoder) debian(deb *Debian) []field {
	return []field{
		{"packages", true, func(n *node, p string) {
			d.list(n, p, func(n *node, p string) {
				s, ok := d.text(n, p)
				if ok && !debianName().MatchString(s) {
					d.add(n.at, "%s: %q is no package's name", p, s)
				}
				deb.Packages = append(deb.Packages, s)
			})
			if n.kind == isList && len(n.items) == 0 {
				d.add(n.at, "%s is empty", p)
			}
		}},
		{"lock", false, func(n *node, p string) { set(&deb.Lock)(d.text(n, p)) }},
	}
}
