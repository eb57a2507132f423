package reflect

import (
	"net/netip"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestParsePort(t *testing.T) {
	for _, c := range []struct {
		text string
		want Port
	}{
		{"8080:80/tcp", Port{netip.AddrPortFrom(netip.Addr{}, 8080), 80, "tcp"}},
		{"8080:80", Port{netip.AddrPortFrom(netip.Addr{}, 8080), 80, "tcp"}},
		{"0:80/udp", Port{netip.AddrPortFrom(netip.Addr{}, 0), 80, "udp"}},
		{":0:80", Port{netip.AddrPortFrom(netip.Addr{}, 0), 80, "tcp"}},
		{"127.0.0.1:8080:80", Port{netip.MustParseAddrPort("127.0.0.1:8080"), 80, "tcp"}},
		{"127.0.0.1::80", Port{netip.MustParseAddrPort("127.0.0.1:0"), 80, "tcp"}},
		{"[::1]:65535:65535/udp", Port{netip.MustParseAddrPort("[::1]:65535"), 65535, "udp"}},
	} {
		got, err := ParsePort(c.text)
		if err != nil || got != c.want {
			t.Errorf("%q: got %+v, %v, want %+v", c.text, got, err, c.want)
		}
	}
}

func TestParsePortRefuses(t *testing.T) {
	for _, text := range []string{
		"", "80", "80/tcp", ":80", "8080:0", "8080:80/sctp", "8080:80/", "8080:80/TCP", "8080:80/tcp/udp",
		"08080:80", "+8080:80", "8080:+80", "8080:65536", "65536:80", "8080: 80", "localhost:8080:80",
		"::1:8080:80", "[::1:8080:80", "[127.0.0.1]:8080:80", "1.2.3:8080:80", "8080:", "a:b",
		strings.Repeat("9", 1000) + ":80",
	} {
		if got, err := ParsePort(text); err == nil {
			t.Errorf("%q: got %+v, want an error", text, got)
		} else if strings.Contains(err.Error(), "\n") || len(err.Error()) > 500 {
			t.Errorf("%q: error of %d bytes", text, len(err.Error()))
		}
	}
}

func TestPortsRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var addr netip.Addr
		switch rapid.IntRange(0, 2).Draw(t, "address") {
		case 1:
			addr = netip.AddrFrom4([4]byte(rapid.SliceOfN(rapid.Byte(), 4, 4).Draw(t, "v4")))
		case 2:
			addr = netip.AddrFrom16([16]byte(rapid.SliceOfN(rapid.Byte(), 16, 16).Draw(t, "v6")))
		}
		p := Port{
			Host:      netip.AddrPortFrom(addr, rapid.Uint16().Draw(t, "host")),
			Container: rapid.Uint16Min(1).Draw(t, "container"),
			Proto:     rapid.SampledFrom([]string{"tcp", "udp"}).Draw(t, "proto"),
		}
		if got, err := ParsePort(p.String()); err != nil || got != p {
			t.Fatalf("%s: got %+v, %v, want %+v", p, got, err, p)
		}
	})
}

func FuzzParsePort(f *testing.F) {
	for _, s := range []string{"8080:80/tcp", "[::1]:0:53/udp", "127.0.0.1::80", ":", "[]:1:1"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		p, err := ParsePort(s)
		if err != nil {
			return
		}
		if again, err := ParsePort(p.String()); err != nil || again != p {
			t.Errorf("%q: %+v is written %s, read %+v, %v", s, p, p, again, err)
		}
	})
}
