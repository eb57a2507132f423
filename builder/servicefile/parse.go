package servicefile

import (
	"math"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/immure-dev/immure/harden"
	"github.com/immure-dev/immure/harden/grant"
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
var serviceName = regexp.MustCompile(`^[a-z]([a-z0-9-]{0,30}[a-z0-9])?$`)

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
	if !serviceName.MatchString(s) || s == "root" {
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
var debianName = regexp.MustCompile(`^[a-z0-9][a-z0-9+.-]{1,127}$`)

func (d *decoder) debian(deb *Debian) []field {
	return []field{
		{"packages", true, func(n *node, p string) {
			d.list(n, p, func(n *node, p string) {
				s, ok := d.text(n, p)
				if ok && !debianName.MatchString(s) {
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

func (d *decoder) run(f *File) []field {
	return []field{
		{"args", true, func(n *node, p string) { d.args(n, p, f) }},
		{"user", false, func(n *node, p string) { d.user(n, p, f) }},
		{"env", false, func(n *node, p string) { d.env(n, p, f) }},
		{"cwd", false, func(n *node, p string) {
			s, ok := d.path(n, p)
			if ok && order.Beneath(s, "/proc") {
				d.add(n.at, "run.cwd %q: a working directory under /proc can lead out of the container", s)
			}
			set(&f.Run.Cwd)(s, ok)
		}},
	}
}

func (d *decoder) args(n *node, p string, f *File) {
	d.list(n, p, func(n *node, p string) {
		// The empty argument is one, and so is one with line breaks.
		if n.kind == isText && !strings.ContainsRune(n.text, 0) {
			f.Run.Args = append(f.Run.Args, n.text)
			return
		}
		if n.kind == isNumber || n.kind == isBool {
			d.add(n.at, "%s must be text: write %q in quotes", p, n.text)
			return
		}
		d.is(n, p, isText)
	})
	if n.kind != isList || len(f.Run.Args) != len(n.items) {
		return
	}
	if len(n.items) == 0 {
		d.add(n.at, "run.args is empty: the first argument is the program's path in the image")
		return
	}
	f.Stated.Process.Args = grant.LiteralArgs(f.Run.Args...)
	program := f.Run.Args[0]
	if err := checkPath(program); err != nil || program == "/" {
		d.add(n.items[0].at, "run.args[0] %q must be the program's absolute, clean path in the image", program)
		return
	}
	if slices.Contains(starters, path.Base(program)) {
		d.add(n.items[0].at, "run.args[0]: %s starts other programs: one image holds one service, so name its own program", path.Base(program))
	}
}

// starters are programs whose work is to start others.
var starters = []string{
	"ash", "bash", "busybox", "catatonit", "circusd", "dash", "docker-init", "dumb-init", "env", "fish", "init", "ksh", "monit",
	"openrc-init", "runit", "runsv", "runsvdir", "s6-overlay-suexec", "s6-supervise", "s6-svscan", "sh", "supervisord", "systemd",
	"tini", "tini-static", "toybox", "xargs", "zsh",
}

// anyNonRoot is every id but root's. Ids above are refused by many readers.
var anyNonRoot = order.Between(1, math.MaxInt32)

func (d *decoder) user(n *node, p string, f *File) {
	s, ok := d.scalar(n, p)
	if !ok {
		return
	}
	if s == "any-nonroot" {
		f.Stated.User.UID, f.Stated.User.GID = anyNonRoot, anyNonRoot
		return
	}
	user, group, both := strings.Cut(s, ":")
	if !both {
		group = user
	}
	uid, ok1 := id(user)
	gid, ok2 := id(group)
	if !ok1 || !ok2 {
		d.add(n.at, "run.user %q: write numbers up to %d, as 65532:65532, or any-nonroot", s, math.MaxInt32)
		return
	}
	f.Run.UID, f.Run.GID = uint32(uid), uint32(gid)
	f.Stated.User.UID, f.Stated.User.GID = order.Only(uid), order.Only(gid)
}

func id(s string) (int64, bool) {
	v, err := strconv.ParseInt(s, 10, 32)
	return v, err == nil && v >= 0 && strconv.FormatInt(v, 10) == s
}

func (d *decoder) env(n *node, p string, f *File) {
	grants := []grant.Env{}
	names := make(map[string]bool)
	d.list(n, p, func(n *node, p string) {
		s, ok := d.text(n, p)
		if !ok {
			return
		}
		e := grant.Env(s)
		if err := e.Check(); err != nil {
			d.add(n.at, "%s: %v", p, err)
			return
		}
		if e.Loader() {
			d.add(n.at, "%s: %q changes what the dynamic loader does and cannot be granted", p, s)
			return
		}
		if literal, ok := grant.ArgsOf(grant.Pattern(e)).Literals(); ok {
			name, _, _ := strings.Cut(literal[0], "=")
			if names[name] {
				d.add(n.at, "%s: variable %s has two values", p, name)
			}
			names[name] = true
			f.Run.Env = append(f.Run.Env, literal[0])
		}
		grants = append(grants, e)
	})
	f.Stated.Process.Env = order.Of(grants...)
}

func (d *decoder) waivers(n *node, p string, f *File) {
	d.list(n, p, func(n *node, p string) {
		w := Waiver{at: n.at}
		d.mapping(n, p, d.waiver(&w))
		f.Waivers = append(f.Waivers, w)
	})
}

func (d *decoder) waiver(w *Waiver) []field {
	return []field{
		{"facet", true, func(n *node, p string) {
			s, ok := d.text(n, p)
			known := slices.ContainsFunc(harden.Facets(), func(f string) bool { return facetIn(f, s) })
			if ok && !known {
				d.add(n.at, "%s: there is no facet %q", p, s)
			}
			w.Facet = s
		}},
		{"grant", true, func(n *node, p string) { set(&w.Grant)(d.scalar(n, p)) }},
		{"reason", true, func(n *node, p string) { set(&w.Reason)(d.text(n, p)) }},
		{"expires", true, func(n *node, p string) {
			s, ok := d.text(n, p)
			if !ok {
				return
			}
			t, err := time.Parse(time.DateOnly, s)
			if err != nil {
				t, err = time.Parse(time.RFC3339, s)
			}
			if err != nil {
				d.add(n.at, "%s: %q is no date: write 2030-12-31 or 2030-12-31T00:00:00Z", p, s)
			}
			w.Expires = t.UTC()
		}},
	}
}

// facetIn reports whether a waiver for the facet or group covers the facet.
func facetIn(facet, group string) bool {
	return facet == group || strings.HasPrefix(facet, group+".")
}
