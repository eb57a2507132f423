package servicefile

import (
	"errors"
	"net/netip"
	"path"
	"strings"

	"github.com/immure-dev/immure/harden/grant"
	"github.com/immure-dev/immure/harden/order"
)

func (d *decoder) boundary(f *File) []field {
	s := &f.Stated
	return []field{
		{"profile", false, func(n *node, p string) { set(&f.Profile)(d.profile(n, p)) }},
		{"listen", false, func(n *node, p string) { s.Network.Listen = grants(d, n, p, listenGrant) }},
		{"connect", false, func(n *node, p string) { s.Network.Connect = grants(d, n, p, connectGrant) }},
		{"files", false, func(n *node, p string) { d.mapping(n, p, d.files(f)) }},
		{"mounts", false, func(n *node, p string) { s.Mounts = d.mounts(n, p) }},
		{"exec", false, func(n *node, p string) { s.Exec = d.exec(n, p) }},
		{"memory", false, func(n *node, p string) { s.Resources.MemoryMaxBytes = d.resource(n, p, bytesOf) }},
		{"pids", false, func(n *node, p string) { s.Resources.PIDsMax = d.resource(n, p, countOf) }},
		{"cpu", false, func(n *node, p string) { s.Resources.CPUMaxMillis = d.resource(n, p, millisOf) }},
		{"capabilities", false, func(n *node, p string) { d.capabilities(n, p, f) }},
		{"syscalls", false, func(n *node, p string) { d.syscalls(n, p, f) }},
		{"dlopen", false, func(n *node, p string) {
			for i, lib := range d.texts(n, p) {
				if strings.Contains(lib, "/") && checkPath(lib) != nil {
					d.add(n.items[i].at, "%s: %q is neither a library's name nor an absolute path", p, lib)
				}
				f.Dlopen = append(f.Dlopen, lib)
			}
		}},
	}
}

// grants reads a list of texts that parse understands, or "any".
func grants[E order.Element[E]](d *decoder, n *node, p string, parse func(string) (E, error)) order.Set[E] {
	if n.kind == isText && n.text == order.Any {
		return order.AnySet[E]()
	}
	out := []E{}
	d.list(n, p, func(n *node, p string) {
		s, ok := d.scalar(n, p)
		if !ok {
			return
		}
		e, err := parse(s)
		if err != nil {
			d.add(n.at, "%s: %v", p, err)
			return
		}
		out = append(out, e)
	})
	return order.Of(out...)
}

// every is how all ports of a protocol are written.
const every = "1-65535"

func listenGrant(s string) (grant.Port, error) {
	p := grant.Port(s)
	if rest, ok := strings.CutPrefix(s, "*/"); ok {
		p = grant.Port(every + "/" + rest)
	}
	return p, p.Check()
}

// connectGrant accepts a bare address for the block that it alone is in, and
// "*" for every port.
func connectGrant(s string) (grant.Endpoint, error) {
	host, port, found := strings.Cut(s, "]:")
	if found {
		host = strings.TrimPrefix(host, "[")
	} else if i := strings.LastIndexByte(s, ':'); i >= 0 {
		host, port = s[:i], s[i+1:]
	}
	if rest, ok := strings.CutPrefix(port, "*/"); ok {
		port = every + "/" + rest
	}
	if a, err := netip.ParseAddr(host); err == nil {
		host = netip.PrefixFrom(a, a.BitLen()).String()
	}
	if strings.Contains(host, ":") {
		host = "[" + host + "]"
	}
	e := grant.Endpoint(host + ":" + port)
	if e.Check() != nil {
		return e, grant.Endpoint(s).Check()
	}
	return e, nil
}

func (d *decoder) exec(n *node, p string) order.Set[grant.Command] {
	if n.kind == isText && n.text == order.Any {
		return order.AnySet[grant.Command]()
	}
	out := []grant.Command{}
	d.list(n, p, func(n *node, p string) {
		c := grant.Command{For: "exec"}
		d.mapping(n, p, []field{
			{"args", true, func(n *node, p string) {
				args := d.texts(n, p)
				if n.kind == isList && len(args) > 0 && len(args) == len(n.items) {
					c.Args = grant.LiteralArgs(args...)
					if checkPath(args[0]) != nil {
						d.add(n.items[0].at, "%s[0] %q must be the program's absolute, clean path in the image", p, args[0])
					}
				} else if len(n.items) == 0 {
					d.add(n.at, "%s is empty", p)
				}
			}},
			{"for", false, func(n *node, p string) {
				use, ok := d.choice(n, p, "probe", "hook", "exec")
				if ok {
					c.For = order.Exact(use)
				}
			}},
		})
		out = append(out, c)
	})
	return order.Of(out...)
}

// checkPath reports a path that is not absolute and clean or holds a wildcard.
func checkPath(p string) error {
	switch {
	case !path.IsAbs(p) || path.Clean(p) != p || strings.ContainsRune(p, 0):
		return errors.New("is not absolute and clean")
	case strings.ContainsAny(p, "*?"):
		return errors.New("holds a wildcard: a path stands for all that lies beneath it")
	}
	return nil
}

// path reads an absolute, clean path without wildcards.
func (d *decoder) path(n *node, p string) (string, bool) {
	s, ok := d.text(n, p)
	if !ok {
		return "", false
	}
	if err := checkPath(s); err != nil {
		d.add(n.at, "%s: path %q %v", p, s, err)
		return "", false
	}
	return s, true
}
