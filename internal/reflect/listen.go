package reflect

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"os"
)

// maxPorts bounds the ports of one service. Each costs one descriptor of the
// reflector.
const maxPorts = 64

// Listeners are the host's sockets of one service. The zero value has none.
type Listeners struct {
	ports []Port // Host as bound, never port 0
	files []*os.File
}

// Listen opens the host's socket of each port. An address in use, or one that
// the host does not have, is an error, and then nothing stays open.
func Listen(ctx context.Context, ports []Port) (*Listeners, error) {
	if len(ports) > maxPorts {
		return nil, fmt.Errorf("publish %d ports: at most %d", len(ports), maxPorts)
	}
	l := &Listeners{}
	for _, p := range ports {
		file, bound, err := listen(ctx, p)
		if err != nil {
			l.Close()
			return nil, fmt.Errorf("publish %s: %w", p, err)
		}
		p.Host = bound
		l.ports = append(l.ports, p)
		l.files = append(l.files, file)
	}
	return l, nil
}

func listen(ctx context.Context, p Port) (*os.File, netip.AddrPort, error) {
	var lc net.ListenConfig
	switch {
	case p.Container == 0:
		return nil, netip.AddrPort{}, fmt.Errorf("no port of the container")
	case p.Proto == "tcp":
		s, err := lc.Listen(ctx, "tcp", p.listenAddress())
		if err != nil {
			return nil, netip.AddrPort{}, err
		}
		defer s.Close()
		t := s.(*net.TCPListener)
		file, err := t.File()
		return file, t.Addr().(*net.TCPAddr).AddrPort(), err
	case p.Proto == "udp":
		s, err := lc.ListenPacket(ctx, "udp", p.listenAddress())
		if err != nil {
			return nil, netip.AddrPort{}, err
		}
		defer s.Close()
		u := s.(*net.UDPConn)
		file, err := u.File()
		return file, u.LocalAddr().(*net.UDPAddr).AddrPort(), err
	}
	return nil, netip.AddrPort{}, fmt.Errorf("unknown protocol %q", p.Proto)
}

// Ports are the published ports in the order given to [Listen], each with the
// host address it is bound to.
func (l *Listeners) Ports() []Port {
	if l == nil {
		return nil
	}
	return l.ports
}

// Close closes the host's sockets of this process; a reflector keeps its own.
func (l *Listeners) Close() {
	if l == nil {
		return
	}
	for _, f := range l.files {
		f.Close()
	}
	l.files = nil
}
