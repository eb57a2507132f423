package reflect

import (
	"fmt"
	"net"
	"net/netip"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// serveChild serves until its starter or the service has ended.
func serveChild(status *os.File) error {
	if err := confined(); err != nil {
		return err
	}
	// Other processes of the same user may neither trace it nor read its memory.
	if err := unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0); err != nil {
		return fmt.Errorf("clear dumpable flag: %w", err)
	}
	if len(os.Args)-1 > maxPorts {
		return fmt.Errorf("more than %d ports", maxPorts)
	}
	limits := map[string]chan struct{}{
		"tcp": make(chan struct{}, connectionLimit()),
		"udp": make(chan struct{}, maxSessions),
	}
	for i, arg := range os.Args[1:] {
		if err := serve(arg, os.NewFile(uintptr(firstFD+i), arg), limits); err != nil {
			return err
		}
	}
	if _, err := status.WriteString(statusReady); err != nil {
		return err
	}
	status.Close()
	fds := []unix.PollFd{{Fd: lifeFD, Events: unix.POLLIN}, {Fd: initFD, Events: unix.POLLIN}}
	for {
		n, err := unix.Poll(fds, -1)
		if err != nil && err != unix.EINTR {
			return fmt.Errorf("wait for the service: %w", err)
		}
		if n > 0 {
			return nil // returning ends the process and with it every goroutine
		}
	}
}

// serve starts serving one socket; arg is PROTO/PORT of the service.
func serve(arg string, file *os.File, limits map[string]chan struct{}) error {
	defer file.Close()
	proto, text, _ := strings.Cut(arg, "/")
	port, err := strconv.ParseUint(text, 10, 16)
	if err != nil || port == 0 {
		return fmt.Errorf("malformed port %q", arg)
	}
	to := netip.AddrPortFrom(serviceAddress, uint16(port))
	switch proto {
	case "tcp":
		l, err := net.FileListener(file)
		if err != nil {
			return fmt.Errorf("take over socket %s: %w", arg, err)
		}
		t, ok := l.(*net.TCPListener)
		if !ok {
			return fmt.Errorf("take over socket %s: not a TCP listener", arg)
		}
		go reflectTCP(t, to, limits[proto])
	case "udp":
		c, err := net.FilePacketConn(file)
		if err != nil {
			return fmt.Errorf("take over socket %s: %w", arg, err)
		}
		u, ok := c.(*net.UDPConn)
		if !ok {
			return fmt.Errorf("take over socket %s: not a UDP socket", arg)
		}
		go newSessions(u, to, limits[proto], udpIdle).run()
	default:
		return fmt.Errorf("malformed port %q", arg)
	}
	return nil
}

// Bounds of one service. They are apart, for a UDP client can be forged and
// must not use up what TCP clients need.
const (
	maxConnections = 1024
	maxSessions    = 512
)

// connectionLimit is maxConnections or what the limit on open files allows: a
// TCP connection needs two sockets and, for splice(2), two pipes.
func connectionLimit() int {
	const reserved, each = maxPorts + maxSessions + 32, 6
	var r unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &r); err != nil || r.Cur > reserved+each*maxConnections {
		return maxConnections
	}
	return max(1, (int(min(r.Cur, 1<<20))-reserved)/each)
}
