package main

import (
	"github.com/immure-dev/immure/harden"
	"github.com/immure-dev/immure/harden/order"
	"github.com/immure-dev/immure/verify/observe"
)

// createdReading is what the kernel says of a created container. The filter's
// content is not read here: that there is none where one was signed is seen.
func createdReading(s observe.Status) harden.Reading {
	r := harden.Reading{Form: "created container", Facets: []string{
		"capabilities.ambient", "capabilities.bounding", "capabilities.effective", "capabilities.inheritable", "capabilities.permitted",
		"noNewPrivileges", "user.uid", "user.gid", "user.groups",
	}}
	b := &r.Boundary
	b.Capabilities = harden.Capabilities{
		Ambient: names(s.Ambient), Bounding: names(s.Bounding), Effective: names(s.Effective),
		Inheritable: names(s.Inheritable), Permitted: names(s.Permitted),
	}
	b.NoNewPrivileges = "off"
	if s.NoNewPrivs {
		b.NoNewPrivileges = "on"
	}
	b.User.UID, b.User.GID = span(s.UID), span(s.GID)
	b.User.Groups = order.Of[order.Range]()
	for _, g := range s.Groups {
		b.User.Groups = b.User.Groups.With(order.Only(int64(g)))
	}
	if s.Seccomp != observe.SeccompFilter {
		r.Facets = append(r.Facets, "syscalls")
		b.Syscalls = harden.Unconfined()
	}
	return r
}

// span covers the four ids of a process, so that none can be another user's.
func span(ids observe.IDs) order.Range {
	lo := min(ids.Real, ids.Effective, ids.Saved, ids.Filesystem)
	hi := max(ids.Real, ids.Effective, ids.Saved, ids.Filesystem)
	return order.Between(int64(lo), int64(hi))
}
