package servicefile

import (
	"fmt"
	"reflect"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/immure-dev/immure/harden"
	"github.com/immure-dev/immure/harden/grant"
	"github.com/immure-dev/immure/harden/order"
)

func TestWide(t *testing.T) {
	bind := grant.NewSlot("/x", "bind", "ro")
	bind.Source = "/srv"
	var b harden.Boundary
	b.Capabilities.Bounding = order.Of[grant.Name]("CAP_NET_BIND_SERVICE", "CAP_SYS_ADMIN")
	b.User.UID = order.Between(0, 7)
	b.Mounts = order.Of(grant.NewSlot("/", "volume"), grant.NewSlot("/data", "volume"), bind)
	b.FileRights = order.Of[grant.PathRight]("execute /", "read /", "read /etc", "write /srv/")
	b.Exec = order.Of(grant.Command{Args: grant.AnyArgs(), For: "exec"}, grant.Command{Args: grant.LiteralArgs("/x"), For: "exec"})
	b.Process.Env = order.Of[grant.Env]("*", "A*", "_*", "A_*", "PATH=*", "B=*")
	b.Syscalls = harden.NewSyscalls([]string{"x86_64"}, harden.KillProcess, harden.SyscallRule{Names: []string{"read", "ptrace"}, Action: harden.Allow})
	b.Namespaces.PID, b.Namespaces.Cgroup, b.Namespaces.Network = "host", "host", "pod"
	b.Rootfs, b.NoNewPrivileges = "writable", "off"
	for facet, want := range map[string][]string{
		"capabilities.bounding": {"CAP_SYS_ADMIN"},
		"user.uid":              {"0..7"},
		"mounts":                {"/ volume", "/x bind of /srv ro"},
		"fileRights":            {"execute /", "read /"},
		"exec":                  {b.Exec.Members()[1].String()},
		"process.env":           {"*", "A*", "_*"},
		"syscalls":              {"ptrace"},
		"rootfs":                {"writable"},
		"noNewPrivileges":       {"off"},
		"namespaces.pid":        {"host"},
		"namespaces.cgroup":     nil, // as engines have it
		"namespaces.network":    nil,
	} {
		if got := Wide(facet, b); !reflect.DeepEqual(got, want) {
			t.Errorf("%s: wide are %q, want %q", facet, got, want)
		}
	}
}

func TestWidePorts(t *testing.T) {
	for _, c := range []struct{ ports, want []string }{
		{[]string{"1-1024/tcp"}, nil},
		{[]string{"1-1024/tcp", "1-1024/tcp", "5-9/tcp", "1024/tcp"}, nil},
		{[]string{"1-1025/tcp"}, []string{"1-1025/tcp"}},
		{[]string{"1-1024/tcp", "1-1025/tcp"}, []string{"1-1025/tcp"}},
		{[]string{"1-1024/tcp", "1-1024/udp"}, []string{"1-1024/tcp, 1-1024/udp"}},
		{[]string{"1-1024/tcp", "1025-2048/tcp", "2049-3072/tcp"}, []string{"1-1024/tcp, 1025-2048/tcp, 2049-3072/tcp"}},
		{[]string{"1-512/tcp", "256-1024/tcp", "8080/tcp"}, []string{"1-512/tcp, 256-1024/tcp, 8080/tcp"}},
	} {
		var b harden.Boundary
		b.Network.Listen = setOf[grant.Port](c.ports)
		if got := Wide("network.listen", b); !reflect.DeepEqual(got, c.want) {
			t.Errorf("%q: wide are %q, want %q", c.ports, got, c.want)
		}
		for i, p := range c.ports {
			c.ports[i] = "db.example:" + p
		}
		b.Network.Connect = setOf[grant.Endpoint](c.ports)
		if got := Wide("network.connect", b); len(got) != len(c.want) {
			t.Errorf("%q: wide are %q", c.ports, got)
		}
	}
}

func setOf[E interface {
	order.Element[E]
	~string
}](texts []string) order.Set[E] {
	var members []E
	for _, s := range texts {
		members = append(members, E(s))
	}
	return order.Of(members...)
}

func TestWideDestinations(t *testing.T) {
	for _, c := range []struct {
		hosts []string
		wide  int
	}{
		{[]string{"10.0.0.0/8", "10.1.0.0/16", "10.1.2.3/32"}, 0},
		{[]string{"10.0.0.0/8", "192.168.0.0/16"}, 1},
		{[]string{"10.0.0.0/9", "10.128.0.0/9"}, 0},
		{[]string{"10.0.0.0/9", "10.128.0.0/9", "11.0.0.0/32"}, 1},
		{[]string{"0.0.0.0/1", "128.0.0.0/1"}, 2},
		{[]string{"*", "db.example"}, 1},
		{[]string{"a.example", "b.example", "c.example"}, 0},
		{[]string{"[2001:db8::/32]"}, 0},
		{[]string{"[2001:db8::/32]", "[2001:db9::/128]"}, 1},
		{[]string{"[2000::/8]"}, 1},
		{[]string{"[::/0]"}, 1},
		// IPv4 in other words.
		{[]string{"[::/64]"}, 1},
		{[]string{"[::ffff:0.0.0.0/96]"}, 1},
		{[]string{"[::ffff:10.0.0.0/104]", "10.0.0.0/8"}, 0},
		{[]string{"[::ffff:10.0.0.0/104]", "11.0.0.0/8"}, 1},
	} {
		var endpoints []string
		for _, h := range c.hosts {
			endpoints = append(endpoints, h+":443/tcp")
		}
		var b harden.Boundary
		b.Network.Connect = setOf[grant.Endpoint](endpoints)
		for _, e := range b.Network.Connect.Members() {
			if err := e.Check(); err != nil {
				t.Fatal(err)
			}
		}
		if got := Wide("network.connect", b); len(got) != c.wide {
			t.Errorf("%q: wide are %q, want %d", c.hosts, got, c.wide)
		}
	}
}

// However a range is cut into pieces, it needs a waiver or it does not.
func TestPortsInPieces(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		lo := rapid.IntRange(1, 60000).Draw(t, "lo")
		hi := lo + rapid.IntRange(0, 3000).Draw(t, "more")
		var pieces []grant.Port
		for at := lo; at <= hi; {
			end := min(hi, at+rapid.IntRange(0, 400).Draw(t, "piece"))
			p := grant.Port(fmt.Sprintf("%d-%d/tcp", at, end))
			if at == end {
				p = grant.Port(fmt.Sprintf("%d/tcp", at))
			}
			pieces = append(pieces, p)
			at = end + 1
		}
		if got, want := widePorts(pieces...), hi-lo+1 > maxPorts; got != want {
			t.Errorf("%v: wide %t, want %t", pieces, got, want)
		}
	})
}

func TestDangerousGrantsAreWaived(t *testing.T) {
	const waived = least + `boundary:
  capabilities: [CAP_NET_BIND_SERVICE, CAP_NET_RAW]
  syscalls: [getcpu, socket]
  mounts: [{at: /data, kind: bind, source: /srv/data}]
waivers:
  - {facet: capabilities, grant: CAP_NET_RAW, reason: test, expires: 2030-12-31}
  - {facet: syscalls, grant: socket, reason: test, expires: 2030-12-31}
  - {facet: mounts, grant: "/data bind of /srv/data nodev,noexec,nosuid,ro", reason: test, expires: 2030-12-31}
`
	f, err := Parse("immure.yaml", []byte(waived))
	if err != nil {
		t.Fatal(err)
	}
	if err := f.CheckWaivers(time.Date(2029, 1, 1, 0, 0, 0, 0, time.UTC)); err != nil {
		t.Error(err)
	}
}
