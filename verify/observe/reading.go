package observe

import (
	"github.com/immure-dev/immure/harden"
	"github.com/immure-dev/immure/harden/grant"
	"github.com/immure-dev/immure/harden/order"
)

// Reading is the status of a container's first process, for verify.Decide. It
// is the service's own once [Tracee.UntilExec] has returned. The filter's
// content is not in it; that there is none is.
func (s Status) Reading() harden.Reading {
	r := harden.Reading{Form: "started container", Facets: []string{
		"capabilities.ambient", "capabilities.bounding", "capabilities.effective", "capabilities.inheritable", "capabilities.permitted",
		"noNewPrivileges", "process.executable", "user.uid", "user.gid", "user.groups", "user.umask",
	}}
	b := &r.Boundary
	if s.Seccomp != SeccompFilter {
		r.Facets = append([]string{"syscalls"}, r.Facets...)
		b.Syscalls = harden.Unconfined()
	}
	b.Capabilities = harden.Capabilities{
		Ambient: names(s.Ambient), Bounding: names(s.Bounding), Effective: names(s.Effective),
		Inheritable: names(s.Inheritable), Permitted: names(s.Permitted),
	}
	b.NoNewPrivileges = "off"
	if s.NoNewPrivs {
		b.NoNewPrivileges = "on"
	}
	b.Process.Executable = order.Exact(s.Executable)
	if s.Outside != "" {
		r.Unread = map[string]string{"process.executable": s.Outside}
	}
	b.User = harden.User{UID: span(s.UID), GID: span(s.GID), Umask: grant.UmaskOf(s.Umask)}
	groups := make([]order.Range, len(s.Groups))
	for i, g := range s.Groups {
		groups[i] = order.Only(int64(g))
	}
	b.User.Groups = order.Of(groups...)
	return r
}

// span covers the four ids of a process, so that none can be another user's.
func span(i IDs) order.Range {
	return order.Between(
		int64(min(i.Real, i.Effective, i.Saved, i.Filesystem)),
		int64(max(i.Real, i.Effective, i.Saved, i.Filesystem)),
	)
}

func names(list []string) order.Set[grant.Name] {
	set := make([]grant.Name, len(list))
	for i, n := range list {
		set[i] = grant.Name(n)
	}
	return order.Of(set...)
}
