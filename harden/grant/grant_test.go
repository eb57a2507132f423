package grant_test

import (
	"testing"

	"github.com/immure-dev/immure/harden/grant"
	"github.com/immure-dev/immure/harden/order"
)

func TestPatterns(t *testing.T) {
	cases := []struct {
		wide, narrow grant.Pattern
		want         bool
	}{
		{"a*", "ab", true},
		{"a*", "a", true},
		{"a*", "a*", true},
		{"a*", "ab*", true},
		{"ab*", "a*", false},
		{"a", "a*", false},
		{`a\*`, "ab", false},
		{`a\*`, `a\*`, true},
		{"a*", `a\*`, true},
		{"*", "", true},
		{"", "*", false},
		{`a\\*`, `a\\b`, true},
		{"a*b", "a*b", false},
		{`\x`, `\x`, false},
	}
	for _, c := range cases {
		if got := c.wide.Covers(c.narrow); got != c.want {
			t.Errorf("%q covers %q: got %v", c.wide, c.narrow, got)
		}
	}
	if !grant.Literal(`a*\`).Matches(`a*\`) || grant.Literal("a*").Matches("ab") {
		t.Error("a literal is not itself alone")
	}
}

func TestLoaderVariablesNeedTheirName(t *testing.T) {
	cases := []struct {
		wide, narrow grant.Env
		want         bool
	}{
		{"*", "HELLO=1", true},
		{"*", "LD_PRELOAD=/x.so", false},
		{"LD_*", "LD_PRELOAD=/x.so", false},
		{"LD_PRELOAD=*", "LD_PRELOAD=/x.so", true},
		{"LD_PRELOAD*", "LD_PRELOAD=/x.so", false},
		{"G*", "GLIBC_TUNABLES=x", false},
		{"LD*", "LDAP=x", true},
		{"A=*", "A=LD_PRELOAD=x", true},
		{"*", "*", true},
	}
	for _, c := range cases {
		if got := c.wide.Covers(c.narrow); got != c.want {
			t.Errorf("%q covers %q: got %v", c.wide, c.narrow, got)
		}
	}
}

func TestEndpoints(t *testing.T) {
	cases := []struct {
		wide, narrow grant.Endpoint
		want         bool
	}{
		{"10.0.0.0/8:1-100/tcp", "10.1.0.0/16:80/tcp", true},
		{"10.0.0.0/8:80/tcp", "11.0.0.0/8:80/tcp", false},
		{"10.0.0.0/8:80/tcp", "10.0.0.0/8:80/udp", false},
		{"*:80/tcp", "db.example:80/tcp", true},
		{"db.example:80/tcp", "*:80/tcp", false},
		{"db.example:80/tcp", "x.db.example:80/tcp", false},
		{"0.0.0.0/0:80/tcp", "[2001:db8::/32]:80/tcp", false},
		{"0.0.0.0/0:80/tcp", "db.example:80/tcp", false},
	}
	for _, c := range cases {
		if got := c.wide.Covers(c.narrow); got != c.want {
			t.Errorf("%q covers %q: got %v", c.wide, c.narrow, got)
		}
	}
	for _, bad := range []grant.Endpoint{"", ":80/tcp", "10.0.0.1/8:80/tcp", "10.0.0.0:80/tcp", "010.0.0.0/8:80/tcp", "2001:db8::/32:80/tcp", "DB.example:80/tcp", "-a:80/tcp", "a:80", "a:0/tcp", "a:90-80/tcp", "a:80-80/tcp", "[10.0.0.0/8]:80/tcp"} {
		if bad.Check() == nil {
			t.Errorf("%q accepted", bad)
		}
	}
}

func TestMalformedGrantsCoverNothing(t *testing.T) {
	if grant.Device("c 1:3 wr").Check() == nil || grant.Device("a *:* rwm").Covers("c 1:3 x") || grant.Device("c 1:3 ").Check() == nil {
		t.Error("device")
	}
	if grant.PathRight("read /etc/..").Check() == nil || grant.PathRight("own /etc").Check() == nil || grant.PathRight("read etc").Check() == nil {
		t.Error("path right")
	}
	if grant.Umask("22").Check() == nil || grant.Umask("1777").Check() == nil || grant.Umask("0022").Over("0077") == nil {
		t.Error("umask")
	}
	if grant.AppArmor("enforce ").Check() == nil || grant.AppArmor("unconfined x").Check() == nil || grant.AppArmor("off").Check() == nil {
		t.Error("apparmor")
	}
	slot := grant.NewSlot("/tmp", "tmpfs")
	for _, bad := range []grant.Slot{{}, {At: "/tmp"}, func() grant.Slot { s := slot; s.Flags = []string{"rw"}; return s }(), func() grant.Slot { s := slot; s.Kind = "bind"; return s }(), func() grant.Slot { s := slot; s.At = "/tmp/../etc"; return s }()} {
		if bad.Check() == nil {
			t.Errorf("%+v accepted", bad)
		}
	}
	if (grant.Rlimits{}).Check() == nil || grant.UnlimitedRlimits().With("RLIMIT_X", grant.Rlimit{}).Check() == nil {
		t.Error("rlimits")
	}
	if grant.LiteralArgs().Check() == nil || (grant.Args{}).Over(grant.AnyArgs()) == nil || grant.AnyArgs().Over(grant.LiteralArgs("/a")) == nil {
		t.Error("args")
	}
	if (grant.Command{Args: grant.AnyArgs()}).Check() == nil || order.Of(grant.Port("x")).Check() == nil {
		t.Error("command or port")
	}
}

// Two slots that read the same would count as one.
func TestSlotsReadDifferently(t *testing.T) {
	a := grant.NewSlot("/opt", "bind", "ro", "nosuid")
	a.Source = "/data"
	b := grant.NewSlot("/opt", "bind")
	b.Source = "/data nosuid,ro"
	if a.String() == b.String() || len(order.Of(a, b).Members()) != 2 {
		t.Errorf("%s and %s count as one", a, b)
	}
}
