package oci

import (
	"math"

	"github.com/immure-dev/immure/harden"
	"github.com/immure-dev/immure/harden/grant"
	"github.com/immure-dev/immure/harden/order"
	"github.com/immure-dev/immure/harden/seccomp"
)

// defaultUmask is what runc and crun set where the configuration has none.
const defaultUmask = 0o022

// credentials reads what the process is and may do: filter, capabilities, user,
// labels.
func (r *reader) credentials() {
	var err error
	if r.b.Syscalls, err = seccomp.Parse(r.linux.Seccomp); err != nil {
		r.unread("syscalls", "%v", err)
	}
	r.capabilities()
	r.b.NoNewPrivileges = "off"
	if r.process.NoNewPrivileges {
		r.b.NoNewPrivileges = "on"
	}
	r.user()
	r.b.AppArmor = grant.AppArmorUnconfined
	if name := r.process.ApparmorProfile; name != "" && name != "unconfined" {
		r.b.AppArmor = grant.AppArmor(string(grant.AppArmorEnforce) + " " + name)
	}
	r.b.SELinux.Process = r.label("selinux.process", r.process.SelinuxLabel)
	r.b.SELinux.Mount = r.label("selinux.mount", r.linux.MountLabel)
}

// capabilities takes a missing section for every capability: runtimes have
// differed on it. A missing set inside the section is empty.
func (r *reader) capabilities() {
	c := r.process.Capabilities
	if c == nil {
		all := order.AnySet[grant.Name]()
		r.b.Capabilities = harden.Capabilities{Ambient: all, Bounding: all, Effective: all, Inheritable: all, Permitted: all}
		return
	}
	r.b.Capabilities = harden.Capabilities{
		Ambient: names(c.Ambient), Bounding: names(c.Bounding), Effective: names(c.Effective),
		Inheritable: names(c.Inheritable), Permitted: names(c.Permitted),
	}
}

func names(list []string) order.Set[grant.Name] {
	set := make([]grant.Name, len(list))
	for i, s := range list {
		set[i] = grant.Name(s)
	}
	return order.Of(set...)
}

func (r *reader) user() {
	u := r.process.User
	r.b.User.UID = r.id("user.uid", u.UID)
	r.b.User.GID = r.id("user.gid", u.GID)
	var groups []order.Range
	for _, g := range u.AdditionalGids {
		if g != u.GID { // the primary group again gives nothing
			groups = append(groups, r.id("user.groups", g))
		}
	}
	r.b.User.Groups = order.Of(groups...)
	r.b.User.Umask = grant.UmaskOf(defaultUmask)
	if u.Umask != nil {
		r.b.User.Umask = grant.UmaskOf(*u.Umask)
		if *u.Umask > 0o777 {
			r.unread("user.umask", "umask %#o has more than permission bits", *u.Umask)
		}
	}
}

// id refuses numbers that some program may take for a negative one.
func (r *reader) id(facet string, n uint32) order.Range {
	if n > math.MaxInt32 {
		r.unread(facet, "id %d is above %d", n, math.MaxInt32)
	}
	return order.Only(int64(n))
}

func (r *reader) label(facet, label string) order.Exact {
	switch label {
	case "":
		return order.None
	case string(order.None):
		r.unread(facet, "label %q is no SELinux context", label)
	}
	return order.Exact(label)
}
