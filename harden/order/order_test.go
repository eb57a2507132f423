package order_test

import (
	"encoding/json"
	"testing"

	"github.com/immure-dev/immure/harden/order"
)

// TestZeroValueIsNoTrap holds for every kind: what was left out is within
// nothing, contains nothing, and cannot be encoded.
func TestZeroValueIsNoTrap(t *testing.T) {
	chain := order.Chain{"on", "off"}
	if chain.Over("", "off") == nil || chain.Over("on", "") == nil || chain.Check("") == nil {
		t.Error("level")
	}
	var l order.Limit
	if l.Over(order.Unlimited()) == nil || order.AtMost(0).Over(l) == nil || l.Check() == nil {
		t.Error("limit")
	}
	var r order.Range
	if r.Over(order.AnyRange()) == nil || order.Only(0).Over(r) == nil || r.Check() == nil {
		t.Error("range")
	}
	var e order.Exact
	if e.Over(order.Any) == nil || order.None.Over(e) == nil || e.Check() == nil {
		t.Error("exact")
	}
	var v order.Version
	if v.Over(order.Any) == nil || order.Version("1.0.0").Over(v) == nil || v.Check() == nil {
		t.Error("version")
	}
	var c order.Cover
	if c.Over(order.Covering()) == nil || order.Covering("/").Over(c) == nil || c.Check() == nil {
		t.Error("cover")
	}
	var s order.Set[order.Range]
	if s.Check() == nil {
		t.Error("set")
	}
	for _, zero := range []any{l, r, c, s} {
		if data, err := json.Marshal(zero); err == nil {
			t.Errorf("%T encodes as %s", zero, data)
		}
	}
}

func TestDecodeRefuses(t *testing.T) {
	cases := []struct {
		into any
		data string
	}{
		{new(order.Limit), `-1`},
		{new(order.Limit), `9007199254740992`},
		{new(order.Limit), `1.5`},
		{new(order.Limit), `"none"`},
		{new(order.Range), `"5..1"`},
		{new(order.Range), `"05"`},
		{new(order.Range), `"5..5"`},
		{new(order.Range), `""`},
		{new(order.Set[order.Range]), `null`},
		{new(order.Set[order.Range]), `{}`},
		{new(order.Cover), `null`},
		{new(order.Cover), `"any"`},
	}
	for _, c := range cases {
		if err := json.Unmarshal([]byte(c.data), c.into); err == nil {
			t.Errorf("%T accepts %s", c.into, c.data)
		}
	}
	for _, v := range []order.Version{"1", "1.2", "1.2.3.4", "01.2.3", "1.2.x", "-1.0.0"} {
		if v.Check() == nil {
			t.Errorf("version %q accepted", v)
		}
	}
}

func TestCoverReachesBeneath(t *testing.T) {
	limit := order.Covering("/proc/kcore", "/sys/firmware")
	for _, c := range []struct {
		cover order.Cover
		want  int
	}{
		{order.Covering("/proc", "/sys"), 0},
		{order.Covering("/procs", "/s"), 2},
		{order.Covering("/proc/kcore"), 1},
		{order.Covering("/proc/kcore2", "/sys/firm"), 2},
		{order.Covering(), 2},
	} {
		if over := c.cover.Over(limit); len(over) != c.want {
			t.Errorf("%s: got %q, want %d", c.cover, over, c.want)
		}
	}
}

func TestTheRootCannotBeCovered(t *testing.T) {
	for _, p := range []string{"/", "", "proc", "/proc/", "/proc/../sys", "//"} {
		if order.Covering("/proc/kcore", p).Check() == nil {
			t.Errorf("%q is taken for a path that can be covered", p)
		}
	}
}
