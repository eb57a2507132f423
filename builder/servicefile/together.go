package servicefile

import (
	"math/big"
	"net/netip"
	"slices"

	"github.com/immure-dev/immure/harden/grant"
	"github.com/immure-dev/immure/harden/order"
)

// maxPorts is how many ports need no waiver; minBits and minBits6 are the
// prefixes of the largest blocks that need none.
const (
	maxPorts = 1024
	minBits  = 8
	minBits6 = 32
)

// together lists the members of s that are too wide by themselves and, when the
// others are too wide together, those as one.
func together[E order.Element[E]](s order.Set[E], is func(...E) bool) []string {
	if s.IsAny() {
		return []string{order.Any}
	}
	var out []string
	var others []E
	for _, e := range s.Members() {
		if is(e) {
			out = append(out, e.String())
		} else {
			others = append(others, e)
		}
	}
	if is(others...) {
		out = append(out, order.Of(others...).String())
	}
	return out
}

// widePorts reports whether there are more than maxPorts, each counted once for
// each protocol.
func widePorts(ports ...grant.Port) bool {
	type span struct{ lo, hi int }
	by := make(map[string][]span)
	for _, p := range ports {
		if lo, hi, proto, err := p.Span(); err == nil {
			by[proto] = append(by[proto], span{int(lo), int(hi)})
		}
	}
	count := 0
	for _, spans := range by {
		slices.SortFunc(spans, func(a, b span) int { return a.lo - b.lo })
		last := 0
		for _, s := range spans {
			if from := max(s.lo, last+1); from <= s.hi {
				count += s.hi - from + 1
				last = s.hi
			}
		}
	}
	return count > maxPorts
}

// wideEndpoints reports whether the ports are too many, a host is any, or the
// blocks hold more addresses than the largest that needs no waiver.
func wideEndpoints(endpoints ...grant.Endpoint) bool {
	var ports []grant.Port
	var v4, v6 []netip.Prefix
	for _, e := range endpoints {
		host, block, port, err := e.Split()
		if err != nil {
			continue
		}
		if host == "*" {
			return true
		}
		ports = append(ports, port)
		switch {
		case !block.IsValid():
		case block.Addr().Is4():
			v4 = append(v4, block)
		default:
			v6 = append(v6, block)
			v4 = append(v4, mapped(block)...)
		}
	}
	return widePorts(ports...) || wideBlocks(v4, 32, minBits) || wideBlocks(v6, 128, minBits6)
}

// mapped is the part of an IPv6 block that means IPv4 addresses: a socket that
// connects there connects to those. Source: RFC 4291, section 2.5.5.2.
func mapped(block netip.Prefix) []netip.Prefix {
	all := netip.PrefixFrom(netip.AddrFrom16([16]byte{10: 0xff, 11: 0xff}), 96)
	if !block.Overlaps(all) {
		return nil
	}
	if block.Bits() <= all.Bits() {
		return []netip.Prefix{netip.PrefixFrom(netip.IPv4Unspecified(), 0)}
	}
	return []netip.Prefix{netip.PrefixFrom(block.Addr().Unmap(), block.Bits()-all.Bits())}
}

// wideBlocks reports whether the blocks hold more addresses of size bits than
// one of prefix length least.
func wideBlocks(blocks []netip.Prefix, size, least int) bool {
	sum := new(big.Int)
	for i, b := range blocks {
		// Two blocks are one in the other, or have nothing in common.
		covered := slices.ContainsFunc(blocks[:i], func(o netip.Prefix) bool { return o == b }) ||
			slices.ContainsFunc(blocks, func(o netip.Prefix) bool { return o.Bits() < b.Bits() && o.Contains(b.Addr()) })
		if !covered {
			sum.Add(sum, new(big.Int).Lsh(big.NewInt(1), uint(size-b.Bits())))
		}
	}
	return sum.Cmp(new(big.Int).Lsh(big.NewInt(1), uint(size-least))) > 0
}
