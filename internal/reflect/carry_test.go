package reflect

import (
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"os/exec"
	goruntime "runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// insideVariable tells this test program that it is in a network namespace of
// its own. The program's name stays, for fuzzing starts it again by that.
const insideVariable = "REFLECT_TEST_INSIDE"

func TestMain(m *testing.M) {
	if Child() {
		return
	}
	if os.Getenv(insideVariable) == "" {
		// Everything here but parsing works on addresses of the service's namespace:
		// the tests run in one, set up as a service's is.
		os.Exit(enterAndRun())
	}
	os.Exit(m.Run())
}

func enterAndRun() int {
	goruntime.LockOSThread()
	if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
		fmt.Fprintln(os.Stderr, "these tests need a network namespace, so run them as root:", err)
		return 1
	}
	if err := configure(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	if err := configure(); err != nil {
		fmt.Fprintln(os.Stderr, "configured twice:", err)
		return 1
	}
	cmd := &exec.Cmd{Path: "/proc/self/exe", Args: os.Args, Env: append(os.Environ(), insideVariable+"=1"), Stdout: os.Stdout, Stderr: os.Stderr, Stdin: os.Stdin}
	if err := cmd.Run(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

func TestOnlyTheServicesAddressIsListed(t *testing.T) {
	addrs, err := net.InterfaceAddrs()
	if err != nil {
		t.Fatal(err)
	}
	text := fmt.Sprint(addrs)
	if !strings.Contains(text, serviceAddress.String()+"/32") || strings.Contains(text, clientAddress.String()+"/") {
		t.Errorf("the namespace's addresses: %s", text)
	}
}

// reflectedTCP reflects to a listener of the test and returns the address that
// clients dial. Everything ends with the test, which fails otherwise.
func reflectedTCP(t *testing.T, limit int, serve func(*net.TCPConn)) string {
	t.Helper()
	service, err := net.Listen("tcp", netip.AddrPortFrom(serviceAddress, 0).String())
	if err != nil {
		t.Fatal(err)
	}
	host, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	slots := make(chan struct{}, limit)
	var all sync.WaitGroup
	all.Go(func() { reflectTCP(host.(*net.TCPListener), service.Addr().(*net.TCPAddr).AddrPort(), slots) })
	all.Go(func() {
		for {
			c, err := service.Accept()
			if err != nil {
				return
			}
			all.Go(func() {
				defer c.Close()
				serve(c.(*net.TCPConn))
			})
		}
	})
	t.Cleanup(func() {
		host.Close()
		service.Close()
		all.Wait()
		for range limit { // every connection gave its slot back
			slots <- struct{}{}
		}
	})
	return host.Addr().String()
}

func TestTCPHalfClose(t *testing.T) {
	address := reflectedTCP(t, 4, func(c *net.TCPConn) {
		if got := c.RemoteAddr().(*net.TCPAddr).AddrPort().Addr(); got != clientAddress {
			t.Errorf("the service sees %s, want %s", got, clientAddress)
		}
		b, err := io.ReadAll(c) // until the client's half is closed
		fmt.Fprintf(c, "%d bytes, %v", len(b), err)
	})
	c, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	const size = 3 << 20
	if _, err := c.Write(make([]byte, size)); err != nil {
		t.Fatal(err)
	}
	c.(*net.TCPConn).CloseWrite()
	if b, err := io.ReadAll(c); err != nil || string(b) != fmt.Sprintf("%d bytes, <nil>", size) {
		t.Errorf("got %q, %v", b, err)
	}
}

func TestTCPServiceClosesFirst(t *testing.T) {
	address := reflectedTCP(t, 4, func(c *net.TCPConn) { fmt.Fprint(c, "banner") })
	c, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if b, err := io.ReadAll(c); err != nil || string(b) != "banner" {
		t.Errorf("got %q, %v", b, err)
	}
}

// More clients than slots are served one after the other, none is lost.
func TestTCPLimit(t *testing.T) {
	address := reflectedTCP(t, 2, func(c *net.TCPConn) { io.Copy(c, c) })
	var all sync.WaitGroup
	for i := range 20 {
		all.Go(func() {
			c, err := net.Dial("tcp", address)
			if err != nil {
				t.Error(err)
				return
			}
			defer c.Close()
			want := fmt.Sprintf("client %d", i)
			fmt.Fprint(c, want)
			c.(*net.TCPConn).CloseWrite()
			if b, err := io.ReadAll(c); err != nil || string(b) != want {
				t.Errorf("got %q, %v, want %q", b, err, want)
			}
		})
	}
	all.Wait()
}

func TestTCPServiceNotListening(t *testing.T) {
	host, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	slots := make(chan struct{}, 1)
	done := make(chan struct{})
	go func() {
		defer close(done)
		reflectTCP(host.(*net.TCPListener), netip.AddrPortFrom(serviceAddress, 1), slots)
	}()
	for range 3 { // the one slot comes back each time
		c, err := net.Dial("tcp", host.Addr().String())
		if err != nil {
			continue
		}
		if b, err := io.ReadAll(c); len(b) > 0 || err == nil {
			t.Errorf("got %q, %v, want a reset", b, err)
		}
		c.Close()
	}
	host.Close()
	<-done
	slots <- struct{}{}
}

// udpEcho echoes on the service's address until the test ends.
func udpEcho(t *testing.T) netip.AddrPort {
	t.Helper()
	c, err := net.ListenPacket("udp", netip.AddrPortFrom(serviceAddress, 0).String())
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		b := make([]byte, maxDatagram)
		for {
			n, from, err := c.ReadFrom(b)
			if err != nil {
				return
			}
			c.WriteTo(b[:n], from)
		}
	}()
	t.Cleanup(func() { c.Close(); <-done })
	return c.LocalAddr().(*net.UDPAddr).AddrPort()
}

func TestUDPSessions(t *testing.T) {
	host, err := net.ListenUDP("udp", net.UDPAddrFromAddrPort(netip.MustParseAddrPort("127.0.0.1:0")))
	if err != nil {
		t.Fatal(err)
	}
	slots := make(chan struct{}, 2)
	s := newSessions(host, udpEcho(t), slots, time.Hour)
	done := make(chan struct{})
	go func() { defer close(done); s.run() }()
	for i := range 2 {
		c, err := net.Dial("udp", host.LocalAddr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		for j := range 3 {
			want := fmt.Sprintf("client %d, datagram %d", i, j)
			fmt.Fprint(c, want)
			b := make([]byte, maxDatagram)
			if n, err := c.Read(b); err != nil || string(b[:n]) != want {
				t.Errorf("got %q, %v, want %q", b[:n], err, want)
			}
		}
	}
	if got := s.session(netip.MustParseAddrPort("127.0.0.1:9")); got != nil {
		t.Error("a session beyond the limit was opened")
	}
	host.Close()
	<-done
	for range cap(slots) {
		slots <- struct{}{}
	}
}

func TestUDPIdleSessionsEnd(t *testing.T) {
	host, err := net.ListenUDP("udp", net.UDPAddrFromAddrPort(netip.MustParseAddrPort("127.0.0.1:0")))
	if err != nil {
		t.Fatal(err)
	}
	slots := make(chan struct{}, 1)
	s := newSessions(host, udpEcho(t), slots, time.Millisecond)
	if s.session(netip.MustParseAddrPort("127.0.0.1:9")) == nil {
		t.Fatal("no session")
	}
	slots <- struct{}{} // once the session has given its slot back
	<-slots
	s.mu.Lock()
	if len(s.byClient) != 0 {
		t.Errorf("sessions left: %v", s.byClient)
	}
	s.mu.Unlock()
	host.Close()
	s.run()
}
