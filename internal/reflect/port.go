package reflect

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"
)

// maxPortText bounds what ParsePort reads: the longest address with a zone,
// two ports and a protocol fit in it several times.
const maxPortText = 128

// A Port is one published port: where the host listens and which port of the
// service answers.
type Port struct {
	// Host is the address that the host listens on. An invalid Addr is every
	// address of the host, port 0 is one that the kernel chooses.
	Host netip.AddrPort
	// Container is the port of the service, 1 to 65535.
	Container uint16
	// Proto is "tcp" or "udp".
	Proto string
}

// ParsePort reads [ADDR:]PORT:CONTAINER[/tcp|/udp], where ADDR is an IPv4
// address or an IPv6 address in brackets, and PORT is 0 or empty to let the
// kernel choose. Without a protocol it is tcp.
func ParsePort(s string) (Port, error) {
	p, err := parsePort(s)
	if err != nil {
		if len(s) > maxPortText {
			s = s[:maxPortText] + "…"
		}
		return Port{}, fmt.Errorf("parse published port %q: %w; write [ADDR:]PORT:CONTAINER[/tcp|/udp]", s, err)
	}
	return p, nil
}

func parsePort(s string) (Port, error) {
	if len(s) > maxPortText {
		return Port{}, fmt.Errorf("longer than %d bytes", maxPortText)
	}
	rest, proto, found := strings.Cut(s, "/")
	if !found {
		proto = "tcp"
	}
	if proto != "tcp" && proto != "udp" {
		return Port{}, fmt.Errorf("unknown protocol %q", proto)
	}
	i := strings.LastIndexByte(rest, ':')
	if i < 0 {
		return Port{}, fmt.Errorf("no port of the container")
	}
	container, err := portNumber(rest[i+1:])
	if err != nil {
		return Port{}, err
	}
	if container == 0 {
		return Port{}, fmt.Errorf("the container's port is 0")
	}
	host, err := parseHost(rest[:i])
	if err != nil {
		return Port{}, err
	}
	return Port{Host: host, Container: container, Proto: proto}, nil
}

// parseHost reads "PORT", ":PORT", "ADDR:PORT" or "[ADDR]:PORT"; PORT may be
// empty behind a colon.
func parseHost(s string) (netip.AddrPort, error) {
	i := strings.LastIndexByte(s, ':')
	if i < 0 {
		n, err := portNumber(s)
		return netip.AddrPortFrom(netip.Addr{}, n), err
	}
	var n uint16
	if s[i+1:] != "" {
		var err error
		if n, err = portNumber(s[i+1:]); err != nil {
			return netip.AddrPort{}, err
		}
	}
	text := s[:i]
	if text == "" {
		return netip.AddrPortFrom(netip.Addr{}, n), nil
	}
	inner, bracketed := strings.CutPrefix(text, "[")
	if bracketed {
		var closed bool
		if inner, closed = strings.CutSuffix(inner, "]"); !closed {
			return netip.AddrPort{}, fmt.Errorf("no closing bracket in %q", text)
		}
	}
	addr, err := netip.ParseAddr(inner)
	if err != nil || addr.Is6() != bracketed {
		return netip.AddrPort{}, fmt.Errorf("%q is neither an IPv4 address nor an IPv6 address in brackets", text)
	}
	return netip.AddrPortFrom(addr, n), nil
}

// portNumber reads a decimal port without sign, blanks or leading zeros.
func portNumber(s string) (uint16, error) {
	n, err := strconv.ParseUint(s, 10, 16)
	if err != nil || strconv.FormatUint(n, 10) != s {
		return 0, fmt.Errorf("port %q is not a number from 0 to 65535", s)
	}
	return uint16(n), nil
}

// String is the form that ParsePort reads.
func (p Port) String() string {
	host := strconv.Itoa(int(p.Host.Port()))
	if p.Host.Addr().IsValid() {
		host = p.Host.String()
	}
	return fmt.Sprintf("%s:%d/%s", host, p.Container, p.Proto)
}

// listenAddress is Host in the form of package net.
func (p Port) listenAddress() string {
	if !p.Host.Addr().IsValid() {
		return ":" + strconv.Itoa(int(p.Host.Port()))
	}
	return p.Host.String()
}
