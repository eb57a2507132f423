package grant

import (
	"fmt"
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
)

// A Port is a range of ports of one protocol: "8080/tcp", "8000-8099/udp".
type Port string

var protocols = []string{"sctp", "tcp", "udp"}

// Span returns the first and last port and the protocol.
func (p Port) Span() (lo, hi uint16, proto string, err error) {
	ports, proto, ok := strings.Cut(string(p), "/")
	low, high, isRange := strings.Cut(ports, "-")
	if !isRange {
		high = low
	}
	a, err1 := strconv.ParseUint(low, 10, 16)
	b, err2 := strconv.ParseUint(high, 10, 16)
	if !ok || err1 != nil || err2 != nil || a == 0 || a > b || !slices.Contains(protocols, proto) ||
		portOf(uint16(a), uint16(b), proto) != p {
		return 0, 0, "", fmt.Errorf("port %q: write 8080/tcp or 8000-8099/udp", string(p))
	}
	return uint16(a), uint16(b), proto, nil
}

func portOf(lo, hi uint16, proto string) Port {
	if lo == hi {
		return Port(fmt.Sprintf("%d/%s", lo, proto))
	}
	return Port(fmt.Sprintf("%d-%d/%s", lo, hi, proto))
}

// Covers reports whether q lies inside p.
func (p Port) Covers(q Port) bool {
	c, ok := p.Common(q)
	return ok && c == q
}

// Common returns the intersection.
func (p Port) Common(q Port) (Port, bool) {
	a, b, proto, err1 := p.Span()
	c, d, other, err2 := q.Span()
	lo, hi := max(a, c), min(b, d)
	if err1 != nil || err2 != nil || proto != other || lo > hi {
		return "", false
	}
	return portOf(lo, hi, proto), true
}

// Check reports a malformed port.
func (p Port) Check() error {
	_, _, _, err := p.Span()
	return err
}

func (p Port) String() string { return string(p) }

// An Endpoint is a destination: a CIDR block, a host name or "*" for any host,
// a colon, and a [Port]. "10.0.0.0/8:5432/tcp", "[2001:db8::/32]:443/tcp",
// "db.example:5432/tcp", "*:443/tcp". A host name covers itself alone: what it
// resolves to is not known here.
type Endpoint string

var hostName = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`^([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)*[a-z]([a-z0-9-]{0,61}[a-z0-9])?$`)
})

// Split returns the host as written, the block it denotes if it is one, and
// the port.
func (e Endpoint) Split() (host string, block netip.Prefix, port Port, err error) {
	s := string(e)
	var rest string
	var ok bool
	if inner, found := strings.CutPrefix(s, "["); found {
		host, rest, ok = strings.Cut(inner, "]:")
	} else {
		host, rest, ok = strings.Cut(s, ":")
	}
	port = Port(rest)
	if !ok || port.Check() != nil || len(host) > 253 {
		return "", block, "", fmt.Errorf("destination %q: write HOST:PORT/tcp with HOST a block such as 10.0.0.0/8, a lower-case name or *", s)
	}
	if host == "*" || hostName().MatchString(host) {
		return host, block, port, nil
	}
	block, err = netip.ParsePrefix(host)
	if err != nil || block.Masked() != block || block.String() != host || block.Addr().Is6() != (s[0] == '[') {
		return "", block, "", fmt.Errorf("destination %q: %q is no block in canonical form (10.0.0.0/8, 192.0.2.7/32), host name or *", s, host)
	}
	return host, block, port, nil
}

func (e Endpoint) covers(host string, block netip.Prefix) bool {
	mine, wide, _, err := e.Split()
	if err != nil {
		return false
	}
	if mine == "*" || mine == host {
		return true
	}
	return wide.IsValid() && block.IsValid() && wide.Bits() <= block.Bits() && wide.Contains(block.Addr())
}

// Covers reports whether e permits all that f does.
func (e Endpoint) Covers(f Endpoint) bool {
	host, block, port, err := f.Split()
	_, _, mine, err2 := e.Split()
	return err == nil && err2 == nil && mine.Covers(port) && e.covers(host, block)
}

// Common returns what both permit.
func (e Endpoint) Common(f Endpoint) (Endpoint, bool) {
	hostE, blockE, portE, err1 := e.Split()
	hostF, blockF, portF, err2 := f.Split()
	port, ok := portE.Common(portF)
	if err1 != nil || err2 != nil || !ok {
		return "", false
	}
	var host string
	switch {
	case e.covers(hostF, blockF):
		host = hostF
	case f.covers(hostE, blockE):
		host = hostE
	default:
		return "", false
	}
	if strings.Contains(host, ":") {
		host = "[" + host + "]"
	}
	return Endpoint(host + ":" + string(port)), true
}

// Check reports a malformed endpoint.
func (e Endpoint) Check() error {
	_, _, _, err := e.Split()
	return err
}

func (e Endpoint) String() string { return string(e) }
