package oci

import (
	"fmt"
	"math"

	"github.com/opencontainers/runtime-spec/specs-go"

	"github.com/immure-dev/immure/harden/grant"
	"github.com/immure-dev/immure/harden/order"
)

func (w *writer) capabilities() error {
	c := new(specs.LinuxCapabilities)
	for _, set := range []struct {
		name string
		from order.Set[grant.Name]
		to   *[]string
	}{
		{"ambient", w.b.Capabilities.Ambient, &c.Ambient},
		{"bounding", w.b.Capabilities.Bounding, &c.Bounding},
		{"effective", w.b.Capabilities.Effective, &c.Effective},
		{"inheritable", w.b.Capabilities.Inheritable, &c.Inheritable},
		{"permitted", w.b.Capabilities.Permitted, &c.Permitted},
	} {
		if set.from.IsAny() {
			return fmt.Errorf("%s: any cannot be written; list the capabilities", set.name)
		}
		for _, n := range set.from.Members() {
			*set.to = append(*set.to, string(n))
		}
	}
	w.spec.Process.Capabilities = c
	w.spec.Process.NoNewPrivileges = w.b.NoNewPrivileges == "on"
	return nil
}

func (w *writer) user() (err error) {
	u := &w.spec.Process.User
	if u.UID, err = chooseID("uid", w.b.User.UID, w.in.UID); err != nil {
		return err
	}
	if u.GID, err = chooseID("gid", w.b.User.GID, w.in.GID); err != nil {
		return err
	}
	for _, g := range w.b.User.Groups.Members() {
		if n, ok := g.One(); ok && n >= 0 && n <= math.MaxInt32 {
			u.AdditionalGids = append(u.AdditionalGids, uint32(n))
		}
	}
	mask, err := w.b.User.Umask.Bits()
	u.Umask = &mask
	return err
}

// chooseID takes the only id that the boundary permits, or the one given.
func chooseID(name string, granted order.Range, given *uint32) (uint32, error) {
	n, one := granted.One()
	if given != nil {
		n, one = int64(*given), true
	}
	switch {
	case !one:
		return 0, fmt.Errorf("%s: the boundary leaves %s open; choose one", name, granted)
	case !granted.Covers(order.Only(n)):
		return 0, fmt.Errorf("%s: %d is not within %s", name, n, granted)
	case n < 0 || n > math.MaxInt32:
		return 0, fmt.Errorf("%s: %d is not between 0 and %d", name, n, math.MaxInt32)
	}
	return uint32(n), nil
}

// userNamespace maps ids from 0 up onto the host ids of the boundary, range by
// range.
func (w *writer) userNamespace() (err error) {
	n := w.b.UserNamespace
	if n.Level != "own" {
		return nil
	}
	if w.spec.Linux.UIDMappings, err = mappings("uids", n.UIDs); err != nil {
		return err
	}
	w.spec.Linux.GIDMappings, err = mappings("gids", n.GIDs)
	return err
}

func mappings(name string, set order.Set[order.Range]) (list []specs.LinuxIDMapping, err error) {
	var next int64
	for _, r := range set.Members() {
		lo, hi := r.Bounds()
		if lo < 0 || hi > math.MaxUint32-1 || next > math.MaxUint32-1-(hi-lo) {
			return nil, fmt.Errorf("%s: %s are no host ids", name, r)
		}
		list = append(list, specs.LinuxIDMapping{ContainerID: uint32(next), HostID: uint32(lo), Size: uint32(hi - lo + 1)})
		next += hi - lo + 1
	}
	if list == nil {
		return nil, fmt.Errorf("%s: an own user namespace needs the host ids that it maps; they are %s", name, set)
	}
	return list, nil
}

// labels writes the profile and the labels that are to be put on.
func (w *writer) labels() error {
	mode, name := w.b.AppArmor.Profile()
	switch {
	case w.b.AppArmor == grant.AppArmorUnconfined:
	case mode == "enforce" && name != "":
		w.spec.Process.ApparmorProfile = name
	default:
		return fmt.Errorf("%q cannot be asked for; name a profile to enforce", string(w.b.AppArmor))
	}
	if l := w.b.SELinux.Process; l != order.None && l != order.Any {
		w.spec.Process.SelinuxLabel = string(l)
	}
	if l := w.b.SELinux.Mount; l != order.None && l != order.Any {
		w.spec.Linux.MountLabel = string(l)
	}
	return nil
}
