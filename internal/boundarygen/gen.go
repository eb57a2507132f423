// Package boundarygen draws boundaries for property tests. The domains are
// small on purpose, so that related values turn up often.
package boundarygen

import (
	"reflect"

	"github.com/immure-dev/immure/harden"
	"github.com/immure-dev/immure/harden/grant"
	"github.com/immure-dev/immure/harden/order"
	"pgregory.net/rapid"
)

// Boundary draws a complete boundary.
func Boundary() *rapid.Generator[harden.Boundary] {
	return rapid.Custom(func(t *rapid.T) harden.Boundary {
		var b harden.Boundary
		fill(t, reflect.ValueOf(&b).Elem(), "")
		return b
	})
}

// Near draws a boundary that differs from b in a few facets only.
func Near(b harden.Boundary) *rapid.Generator[harden.Boundary] {
	return rapid.Custom(func(t *rapid.T) harden.Boundary {
		other := Boundary().Draw(t, "other")
		out := b
		for range rapid.IntRange(0, 3).Draw(t, "changes") {
			out.Take(rapid.SampledFrom(harden.Facets()).Draw(t, "facet"), other)
		}
		return out
	})
}

// fill draws every field by its type; a level's chain depends on its name.
func fill(t *rapid.T, v reflect.Value, name string) {
	if v.Type() == reflect.TypeFor[order.Level]() {
		v.SetString(string(rapid.SampledFrom(levels(name)).Draw(t, name)))
		return
	}
	if g, ok := generators[v.Type()]; ok {
		v.Set(reflect.ValueOf(g(t, name)))
		return
	}
	if v.Kind() != reflect.Struct {
		panic("no generator for " + v.Type().String() + " at " + name)
	}
	for i := range v.NumField() {
		fill(t, v.Field(i), name+"."+v.Type().Field(i).Name)
	}
}

func levels(name string) []order.Level {
	switch name {
	case ".NoNewPrivileges":
		return []order.Level{"on", "off"}
	case ".UserNamespace.Level":
		return []order.Level{"own", "host"}
	case ".Rootfs":
		return []order.Level{"readOnly", "writable"}
	case ".Propagation":
		return []order.Level{"private", "slave", "shared"}
	case ".IDMappedMounts":
		return []order.Level{"none", "any"}
	case ".Memory.ExecutableStack", ".Memory.WriteExecute":
		return []order.Level{"forbidden", "allowed"}
	case ".Landlock.Level":
		return []order.Level{"require", "bestEffort", "off"}
	case ".Scopes.AbstractSockets", ".Scopes.Ptrace", ".Scopes.Signals":
		return []order.Level{"own", "any"}
	}
	return []order.Level{"own", "pod", "joined", "host"}
}

type drawer func(t *rapid.T, name string) any

func from[T any](values ...T) drawer {
	return func(t *rapid.T, name string) any { return rapid.SampledFrom(values).Draw(t, name) }
}

// listOf draws sets that are never "any".
func listOf[E order.Element[E]](elements ...E) drawer {
	return func(t *rapid.T, name string) any {
		return order.Of(rapid.SliceOfN(rapid.SampledFrom(elements), 0, 3).Draw(t, name)...)
	}
}

func setOf[E order.Element[E]](elements ...E) drawer {
	return func(t *rapid.T, name string) any {
		if rapid.IntRange(0, 9).Draw(t, name+" any") == 0 {
			return order.AnySet[E]()
		}
		return listOf(elements...)(t, name)
	}
}

var generators = map[reflect.Type]drawer{
	reflect.TypeFor[harden.Syscalls]():            syscalls,
	reflect.TypeFor[order.Set[grant.Name]]():      setOf[grant.Name]("CAP_CHOWN", "CAP_KILL", "CAP_SYS_ADMIN"),
	reflect.TypeFor[order.Set[order.Range]]():     setOf(order.Only(1000), order.Between(1000, 2000), order.Between(1, 1<<31-1), order.Only(0)),
	reflect.TypeFor[order.Set[grant.Slot]]():      setOf(slots()...),
	reflect.TypeFor[order.Set[grant.Device]]():    setOf[grant.Device]("c 1:3 rwm", "c 1:3 r", "c *:* m", "c 1:* rw", "a *:* rwm", "b 8:0 w"),
	reflect.TypeFor[order.Set[grant.PathRight]](): setOf[grant.PathRight]("read /", "read /etc", "read /etc/hello", "write /data", "execute /usr/bin"),
	reflect.TypeFor[order.Set[grant.Command]]():   setOf(commands()...),
	reflect.TypeFor[order.Set[grant.Port]]():      setOf[grant.Port]("80/tcp", "80-90/tcp", "85-100/tcp", "1-65535/udp", "53/udp"),
	reflect.TypeFor[order.Set[grant.Endpoint]]():  setOf[grant.Endpoint]("*:443/tcp", "10.0.0.0/8:443/tcp", "10.1.0.0/16:1-1000/tcp", "db.example:443/tcp", "[2001:db8::/32]:443/tcp"),
	reflect.TypeFor[order.Set[grant.Pattern]]():   setOf[grant.Pattern]("/", "/immure/*", "/immure/a", "*", `a\*`),
	reflect.TypeFor[order.Set[grant.Env]]():       listOf[grant.Env]("*", "A_*", "A_B=*", "A_B=c", "LD_*", "LDAP=*"),
	reflect.TypeFor[order.Range]():                from(order.Only(0), order.Only(1000), order.Between(1, 1<<31-1), order.Between(500, 1500), order.AnyRange()),
	reflect.TypeFor[order.Limit]():                from(order.AtMost(0), order.AtMost(64), order.AtMost(1<<30), order.Unlimited()),
	reflect.TypeFor[order.Exact]():                from[order.Exact]("none", "a", "b", "any"),
	reflect.TypeFor[order.Version]():              from[order.Version]("1.0.0", "1.1.0", "1.10.2", "any"),
	reflect.TypeFor[order.Cover]():                from(order.Covering(), order.Covering("/proc/kcore"), order.Covering("/proc"), order.Covering("/sys", "/proc/kcore")),
	reflect.TypeFor[grant.Umask]():                from[grant.Umask]("0000", "0022", "0077", "0027"),
	reflect.TypeFor[grant.AppArmor]():             from[grant.AppArmor]("unconfined", "enforce a", "complain a", "enforce b", "enforce", "complain"),
	reflect.TypeFor[grant.Args]():                 from(grant.AnyArgs(), grant.LiteralArgs("/a"), grant.ArgsOf("/a", "--p=*"), grant.ArgsOf("/a", "--p=1"), grant.ArgsOf("*", "*")),
	reflect.TypeFor[grant.Rlimits]():              rlimits,
}

func rlimits(t *rapid.T, name string) any {
	r := grant.UnlimitedRlimits()
	for range rapid.IntRange(0, 2).Draw(t, name) {
		n := order.AtMost(rapid.Int64Range(0, 3).Draw(t, "limit"))
		r = r.With(rapid.SampledFrom(grant.RlimitNames).Draw(t, "rlimit"), grant.Rlimit{Hard: n, Soft: n})
	}
	return r
}

func slots() []grant.Slot {
	shared := grant.NewSlot("/tmp", "tmpfs")
	shared.Propagation = "shared"
	small := grant.NewSlot("/tmp", "tmpfs", "nosuid", "nodev")
	small.SizeMaxBytes = order.AtMost(1 << 20)
	bind := grant.NewSlot("/data", "bind", "ro")
	bind.Source = "/srv"
	pinned := grant.NewSlot("/etc/hello", "config", "ro")
	pinned.Digest = "sha256:00"
	return []grant.Slot{shared, small, bind, pinned, grant.NewSlot("/tmp", "tmpfs", "ro", "nosuid"), grant.NewSlot("/etc/hello", "config")}
}

func commands() []grant.Command {
	return []grant.Command{
		{Args: grant.LiteralArgs("/a", "-check"), For: "probe"},
		{Args: grant.ArgsOf("/a", "*"), For: "probe"},
		{Args: grant.AnyArgs(), For: "any"},
		{Args: grant.LiteralArgs("/b"), For: "exec"},
	}
}

func syscalls(t *rapid.T, name string) any {
	if rapid.IntRange(0, 9).Draw(t, name+" unconfined") == 0 {
		return harden.Unconfined()
	}
	rule := rapid.Custom(func(t *rapid.T) harden.SyscallRule {
		return harden.SyscallRule{
			Names:  rapid.SliceOfN(rapid.SampledFrom([]string{"read", "socket", "clone"}), 1, 2).Draw(t, "names"),
			Action: rapid.SampledFrom([]harden.Action{harden.Allow, harden.Allow, harden.Allow, harden.Errno(1), harden.Errno(38), harden.KillProcess, harden.Errno(0)}).Draw(t, "action"),
			Args:   rapid.SliceOfN(Arg(), 0, 2).Draw(t, "args"),
		}
	})
	return harden.NewSyscalls(
		rapid.SampledFrom([][]string{{"x86_64"}, {"x86_64", "x86"}, {"aarch64"}}).Draw(t, "architectures"),
		rapid.SampledFrom([]harden.Action{harden.Errno(1), harden.Errno(38), harden.KillProcess, harden.Allow}).Draw(t, "default"),
		rapid.SliceOfN(rule, 0, 3).Draw(t, "rules")...,
	).WithFlags(rapid.SampledFrom([][]string{nil, {"SECCOMP_FILTER_FLAG_LOG"}, {"SECCOMP_FILTER_FLAG_SPEC_ALLOW"}}).Draw(t, "flags")...)
}

// Arg draws a condition on one of two arguments over a few small values.
func Arg() *rapid.Generator[harden.SyscallArg] {
	return anyArg().Filter(func(a harden.SyscallArg) bool { return a.Check() == nil })
}

func anyArg() *rapid.Generator[harden.SyscallArg] {
	return rapid.Custom(func(t *rapid.T) harden.SyscallArg {
		index := rapid.UintRange(0, 1).Draw(t, "index")
		value := rapid.SampledFrom([]uint64{0, 1, 2, 3, 7, 1<<32 - 1}).Draw(t, "value")
		op := rapid.SampledFrom([]string{"eq", "ne", "lt", "le", "ge", "gt", "maskedEq"}).Draw(t, "op")
		if op == "maskedEq" {
			return harden.MaskedArg(index, value, rapid.SampledFrom([]uint64{0, 1, 2, 3}).Draw(t, "want"))
		}
		return harden.NewSyscallArg(index, op, value)
	})
}
