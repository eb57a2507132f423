package servicefile

import (
	"math"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/immure-dev/immure/harden/grant"
	"github.com/immure-dev/immure/harden/order"
)

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
