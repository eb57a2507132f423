package reflect

import (
	"context"
	"errors"
	"io"
	"net"
	"net/netip"
	"sync"
	"time"
)

const (
	// dialTimeout bounds a dial within one namespace, where an answer or a
	// refusal comes at once unless the service's backlog is full.
	dialTimeout = 10 * time.Second
	// acceptPause is how long accepting rests after an error such as EMFILE, so
	// that it does not spin while connections end.
	acceptPause = 50 * time.Millisecond
)

// reflectTCP accepts until the listener is closed. At the limit it stops
// accepting: the kernel queues, then drops, what comes.
func reflectTCP(l *net.TCPListener, to netip.AddrPort, limit chan struct{}) {
	for {
		limit <- struct{}{}
		c, err := l.AcceptTCP()
		if err != nil {
			<-limit
			if errors.Is(err, net.ErrClosed) {
				return
			}
			time.Sleep(acceptPause)
			continue
		}
		go func() {
			defer func() { <-limit }()
			reflectConn(c, to)
		}()
	}
}

// dial connects to the service from [clientAddress].
func dial(ctx context.Context, network string, to netip.AddrPort) (net.Conn, error) {
	d := net.Dialer{Timeout: dialTimeout}
	if network == "tcp" {
		d.LocalAddr = net.TCPAddrFromAddrPort(netip.AddrPortFrom(clientAddress, 0))
	} else {
		d.LocalAddr = net.UDPAddrFromAddrPort(netip.AddrPortFrom(clientAddress, 0))
	}
	return d.DialContext(ctx, network, to.String())
}

// reflectConn carries one connection and closes both ends. A client of a
// service that does not answer is reset, as without a reflector.
func reflectConn(client *net.TCPConn, to netip.AddrPort) {
	defer client.Close()
	s, err := dial(context.Background(), "tcp", to)
	if err != nil {
		client.SetLinger(0)
		return
	}
	service := s.(*net.TCPConn)
	defer service.Close()
	var both sync.WaitGroup
	both.Go(func() { carry(service, client) })
	both.Go(func() { carry(client, service) })
	both.Wait()
}

// carry copies one direction and passes its end on: a half-closed connection
// stays half-closed, a broken one breaks both ways.
func carry(to, from *net.TCPConn) {
	if _, err := io.Copy(to, from); err != nil {
		to.SetLinger(0)
		from.SetLinger(0)
		to.Close()
		from.Close()
		return
	}
	to.CloseWrite()
}
