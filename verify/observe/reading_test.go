package observe_test

import (
	"testing"

	"github.com/immure-dev/immure/harden"
	"github.com/immure-dev/immure/harden/grant"
	"github.com/immure-dev/immure/harden/order"
	"github.com/immure-dev/immure/verify"
	"github.com/immure-dev/immure/verify/observe"
)

// signed states what a started container is judged by.
func signed() harden.Boundary {
	none := order.Of[grant.Name]()
	return harden.Boundary{
		Syscalls:        harden.NewSyscalls([]string{"x86_64"}, harden.Errno(1)),
		Capabilities:    harden.Capabilities{Ambient: none, Bounding: order.Of[grant.Name]("CAP_CHOWN"), Effective: none, Inheritable: none, Permitted: none},
		NoNewPrivileges: "on",
		Process:         harden.Process{Executable: "/usr/bin/service"},
		User:            harden.User{UID: order.Only(65532), GID: order.Only(65532), Groups: order.Of(order.Only(10)), Umask: "0022"},
	}
}

// started is a status within signed.
func started() observe.Status {
	return observe.Status{
		PID: 4711, NoNewPrivs: true, Seccomp: observe.SeccompFilter, Bounding: []string{"CAP_CHOWN"},
		UID: same(65532), GID: same(65532), Groups: []uint32{10}, Umask: 0o022,
		Executable: "/usr/bin/service",
	}
}

func same(id uint32) observe.IDs {
	return observe.IDs{Real: id, Effective: id, Saved: id, Filesystem: id}
}

func TestAStartedContainerWithinItsBoundaryIsAllowed(t *testing.T) {
	for name, narrow := range map[string]func(s *observe.Status){
		"as signed":        func(*observe.Status) {},
		"no bounding set":  func(s *observe.Status) { s.Bounding = nil },
		"no groups":        func(s *observe.Status) { s.Groups = nil },
		"a stricter umask": func(s *observe.Status) { s.Umask = 0o077 },
	} {
		s := started()
		narrow(&s)
		if d := verify.Decide(signed(), s.Reading()); !d.Allowed {
			t.Errorf("%s: refused: %v", name, d.Refusals)
		}
	}
}

// One thing is wider at a time, and the one facet is named.
func TestAStartedContainerWiderThanSignedIsRefused(t *testing.T) {
	for _, c := range []struct {
		name  string
		widen func(s *observe.Status)
		facet string
	}{
		{"ambient", func(s *observe.Status) { s.Ambient = []string{"CAP_NET_RAW"} }, "capabilities.ambient"},
		{"bounding", func(s *observe.Status) { s.Bounding = append(s.Bounding, "CAP_NET_RAW") }, "capabilities.bounding"},
		{"effective", func(s *observe.Status) { s.Effective = []string{"CAP_NET_RAW"} }, "capabilities.effective"},
		{"inheritable", func(s *observe.Status) { s.Inheritable = []string{"CAP_NET_RAW"} }, "capabilities.inheritable"},
		{"permitted", func(s *observe.Status) { s.Permitted = []string{"CAP_NET_RAW"} }, "capabilities.permitted"},
		{"a capability without a name", func(s *observe.Status) { s.Bounding = append(s.Bounding, "CAP_63") }, "capabilities.bounding"},
		{"new privileges", func(s *observe.Status) { s.NoNewPrivs = false }, "noNewPrivileges"},
		{"real root", func(s *observe.Status) { s.UID.Real = 0 }, "user.uid"},
		{"effective root", func(s *observe.Status) { s.UID.Effective = 0 }, "user.uid"},
		{"saved root", func(s *observe.Status) { s.UID.Saved = 0 }, "user.uid"},
		{"file system root", func(s *observe.Status) { s.UID.Filesystem = 0 }, "user.uid"},
		{"another user above", func(s *observe.Status) { s.UID.Saved = 65533 }, "user.uid"},
		{"an unmapped user", func(s *observe.Status) { s.UID = same(1<<32 - 1) }, "user.uid"},
		{"real group", func(s *observe.Status) { s.GID.Real = 0 }, "user.gid"},
		{"effective group", func(s *observe.Status) { s.GID.Effective = 0 }, "user.gid"},
		{"saved group", func(s *observe.Status) { s.GID.Saved = 0 }, "user.gid"},
		{"file system group", func(s *observe.Status) { s.GID.Filesystem = 0 }, "user.gid"},
		{"another group", func(s *observe.Status) { s.Groups = append(s.Groups, 27) }, "user.groups"},
		{"the root group", func(s *observe.Status) { s.Groups = []uint32{0} }, "user.groups"},
		{"a looser umask", func(s *observe.Status) { s.Umask = 0 }, "user.umask"},
		{"another program", func(s *observe.Status) { s.Executable = "/usr/bin/other" }, "process.executable"},
		{"a program from elsewhere", func(s *observe.Status) { s.Executable, s.Outside = "", "elsewhere" }, "process.executable"},
		{"no filter", func(s *observe.Status) { s.Seccomp = observe.SeccompDisabled }, "syscalls"},
		{"the strict mode", func(s *observe.Status) { s.Seccomp = observe.SeccompStrict }, "syscalls"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := started()
			c.widen(&s)
			d := verify.Decide(signed(), s.Reading())
			if d.Allowed || len(d.Refusals) != 1 || d.Refusals[0].Facet != c.facet {
				t.Errorf("allowed %t, refusals %v, want one of %s", d.Allowed, d.Refusals, c.facet)
			}
		})
	}
}

// A program from elsewhere is none that anybody signed, even where any is.
func TestAProgramFromElsewhereIsRefusedWhereAnyIsSigned(t *testing.T) {
	s, any := started(), signed()
	any.Process.Executable = order.Any
	if d := verify.Decide(any, s.Reading()); !d.Allowed {
		t.Errorf("refused: %v", d.Refusals)
	}
	s.Executable, s.Outside = "", "elsewhere"
	if d := verify.Decide(any, s.Reading()); d.Allowed {
		t.Error("allowed")
	}
}
