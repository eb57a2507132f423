package harden_test

import (
	"encoding/json"
	"errors"
	"reflect"
	"testing"

	"github.com/immure-dev/immure/harden"
	"github.com/immure-dev/immure/harden/grant"
	"github.com/immure-dev/immure/harden/order"
	"github.com/immure-dev/immure/internal/boundarygen"
	"pgregory.net/rapid"
)

func within(name string, a, b harden.Boundary) bool {
	_, over := a.OverIn(name, b)
	return !over
}

// TestFacetLaws tries the laws of a preorder with meets on every facet alone,
// where values of small domains are related often.
func TestFacetLaws(t *testing.T) {
	for _, name := range harden.Facets() {
		t.Run(name, func(t *testing.T) {
			rapid.Check(t, func(t *rapid.T) {
				gen := boundarygen.Boundary()
				a, b, c := gen.Draw(t, "a"), gen.Draw(t, "b"), gen.Draw(t, "c")
				if !within(name, a, a) {
					t.Fatalf("not reflexive: %s", a.Text(name))
				}
				if within(name, a, b) && within(name, b, c) && !within(name, a, c) {
					t.Fatalf("not transitive: %s, %s, %s", a.Text(name), b.Text(name), c.Text(name))
				}
				meet := a
				other := a
				other.Take(name, b)
				m, err := a.Meet(other)
				if err != nil {
					// A conflict says that nothing is within both; some c that
					// is would disprove it.
					var conflict *harden.ConflictError
					if !errors.As(err, &conflict) || conflict.Conflicts[0].Facet != name {
						t.Fatalf("meet: %v", err)
					}
					if name != "syscalls" && within(name, c, a) && within(name, c, b) {
						t.Fatalf("conflict of %s and %s, yet %s is within both", a.Text(name), b.Text(name), c.Text(name))
					}
					return
				}
				meet.Take(name, m)
				if !within(name, meet, a) || !within(name, meet, b) {
					t.Fatalf("meet %s of %s and %s is not within both", meet.Text(name), a.Text(name), b.Text(name))
				}
				if within(name, c, a) && within(name, c, b) && !within(name, c, meet) {
					t.Fatalf("meet %s of %s and %s is not the greatest: %s", meet.Text(name), a.Text(name), b.Text(name), c.Text(name))
				}
			})
		})
	}
}

// TestBoundaryLaws tries the same on whole boundaries that differ in a few
// facets.
func TestBoundaryLaws(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a := boundarygen.Boundary().Draw(t, "a")
		b := boundarygen.Near(a).Draw(t, "b")
		c := boundarygen.Near(b).Draw(t, "c")
		if !a.Within(a) {
			t.Fatal("not reflexive", a.Over(a))
		}
		if a.Within(b) && b.Within(c) && !a.Within(c) {
			t.Fatal("not transitive", a.Over(c))
		}
		if looser, tighter := harden.Diff(a, b); (len(looser) == 0) != b.Within(a) || (len(tighter) == 0) != a.Within(b) {
			t.Fatal("diff disagrees with within")
		}
		if a.Within(b) && b.Within(a) && c.Within(a) != c.Within(b) {
			t.Fatal("mutual containment is no equivalence")
		}
		m, err := a.Meet(b)
		if err == nil && (!m.Within(a) || !m.Within(b)) {
			t.Fatal("meet is not within both", m.Over(a), m.Over(b))
		}
	})
}

func TestNothingIsWithinWhatIsNotStated(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		b := boundarygen.Boundary().Draw(t, "b")
		name := rapid.SampledFrom(harden.Facets()).Draw(t, "facet")
		var empty harden.Boundary
		partial := b
		partial.Take(name, empty)
		for _, pair := range [][2]harden.Boundary{{b, partial}, {partial, b}, {partial, partial}} {
			if e, over := pair[0].OverIn(name, pair[1]); !over || e.Facet != name {
				t.Fatalf("%s is not stated and yet within", name)
			}
		}
		if _, err := partial.Encode(); !errors.Is(err, order.ErrNotStated) {
			t.Fatalf("encoded without %s: %v", name, err)
		}
	})
}

// top is "any" in every facet.
func top() harden.Boundary {
	var b harden.Boundary
	raise(reflect.ValueOf(&b).Elem())
	host, reach, allowed := order.Level("host"), order.Level("any"), order.Level("allowed")
	b.NoNewPrivileges, b.Rootfs, b.Propagation, b.IDMappedMounts, b.Landlock.Level = "off", "writable", "shared", "any", "off"
	b.UserNamespace.Level = host
	b.Namespaces = harden.Namespaces{Cgroup: host, IPC: host, Mount: host, Network: host, PID: host, Time: host, UTS: host}
	b.Scopes = harden.Scopes{AbstractSockets: reach, Ptrace: reach, Signals: reach}
	b.Process.Env = order.Of[grant.Env]("*") // "any" is refused
	b.Memory = harden.MemoryProtection{ExecutableStack: allowed, WriteExecute: allowed}
	return b
}

func raise(v reflect.Value) {
	switch at := v.Addr().Interface().(type) {
	case *order.Level: // each has a chain of its own
	case *order.Limit:
		*at = order.Unlimited()
	case *order.Range:
		*at = order.AnyRange()
	case *order.Exact:
		*at = order.Any
	case *order.Version:
		*at = order.Any
	case *order.Cover:
		*at = order.Covering()
	case *grant.Umask:
		*at = "0000"
	case *grant.AppArmor:
		*at = grant.AppArmorUnconfined
	case *grant.Rlimits:
		*at = grant.UnlimitedRlimits()
	case json.Unmarshaler:
		if err := at.UnmarshalJSON([]byte(`"any"`)); err != nil {
			panic(err)
		}
	default:
		for i := range v.NumField() {
			raise(v.Field(i))
		}
		return
	}
}

func TestTopContainsEverything(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		b := boundarygen.Boundary().Draw(t, "b")
		if over := b.Over(top()); len(over) > 0 {
			t.Fatal(over)
		}
	})
}
