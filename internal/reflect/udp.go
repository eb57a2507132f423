package reflect

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"sync"
	"time"
)

const (
	// udpIdle is how long a session lives without a datagram in either
	// direction: what Linux gives an answered UDP flow
	// (nf_conntrack_udp_timeout_stream, 120 s), rounded down.
	udpIdle = time.Minute
	// maxDatagram is the largest UDP payload over IPv4, in bytes.
	maxDatagram = 65507
)

// sessions are the UDP clients of one published port. Each has its own socket
// to the service, so that answers find their client.
type sessions struct {
	host  *net.UDPConn
	to    netip.AddrPort
	limit chan struct{}
	idle  time.Duration

	mu       sync.Mutex
	byClient map[netip.AddrPort]net.Conn
	running  sync.WaitGroup
}

func newSessions(host *net.UDPConn, to netip.AddrPort, limit chan struct{}, idle time.Duration) *sessions {
	return &sessions{host: host, to: to, limit: limit, idle: idle, byClient: make(map[netip.AddrPort]net.Conn)}
}

// run forwards datagrams until the host's socket is closed, then ends every
// session. A datagram that cannot be forwarded is dropped, as UDP may.
func (s *sessions) run() {
	defer s.closeAll()
	b := make([]byte, maxDatagram)
	for {
		n, client, err := s.host.ReadFromUDPAddrPort(b)
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			continue // an ICMP error of an earlier answer
		}
		c := s.session(client)
		if c == nil {
			continue
		}
		c.SetReadDeadline(time.Now().Add(s.idle))
		c.Write(b[:n])
	}
}

// session finds or opens the client's session; nil at the limit.
func (s *sessions) session(client netip.AddrPort) net.Conn {
	s.mu.Lock()
	defer s.mu.Unlock()
	if c, ok := s.byClient[client]; ok {
		return c
	}
	select {
	case s.limit <- struct{}{}:
	default:
		return nil
	}
	c, err := dial(context.Background(), "udp", s.to)
	if err != nil {
		<-s.limit
		return nil
	}
	s.byClient[client] = c
	s.running.Go(func() {
		defer func() { <-s.limit }()
		s.answer(client, c)
	})
	return c
}

// answer carries what the service sends back until the session is idle.
func (s *sessions) answer(client netip.AddrPort, c net.Conn) {
	defer func() {
		s.mu.Lock()
		delete(s.byClient, client)
		s.mu.Unlock()
		c.Close()
	}()
	b := make([]byte, maxDatagram)
	c.SetReadDeadline(time.Now().Add(s.idle))
	for {
		n, err := c.Read(b)
		var timeout net.Error
		if errors.Is(err, net.ErrClosed) || errors.As(err, &timeout) && timeout.Timeout() {
			return
		}
		if err != nil {
			continue // ECONNREFUSED: the service does not listen yet
		}
		c.SetReadDeadline(time.Now().Add(s.idle))
		s.host.WriteToUDPAddrPort(b[:n], client)
	}
}

func (s *sessions) closeAll() {
	s.mu.Lock()
	for _, c := range s.byClient {
		c.Close()
	}
	s.mu.Unlock()
	s.running.Wait()
}
