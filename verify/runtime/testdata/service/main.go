// Command service is what the tests run in a container.
package main

import (
	"fmt"
	"io"
	"net"
	"os"
	"os/signal"
	"strconv"
	"syscall"
)

func main() {
	var err error
	switch os.Args[1] {
	case "exit":
		status, _ := strconv.Atoi(os.Args[2])
		os.Exit(status)
	case "copy":
		_, err = io.Copy(os.Stdout, os.Stdin)
	case "env":
		fmt.Println(os.Environ())
	case "descriptors":
		err = descriptors()
	case "wait":
		fmt.Println("ready")
		for {
			syscall.Pause()
		}
	case "signals":
		err = signals()
	case "stubborn":
		err = stubborn()
	case "tcp":
		err = tcp(os.Args[2])
	case "udp":
		err = udp(os.Args[2])
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// descriptors prints what is open beyond the standard streams, links resolved.
func descriptors() error {
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		return err
	}
	for _, e := range entries {
		if to, err := os.Readlink("/proc/self/fd/" + e.Name()); err == nil && len(e.Name()) == 1 && e.Name() > "2" {
			fmt.Println(e.Name(), to)
		}
	}
	return nil
}

// signals prints each signal and ends with status 7 at SIGTERM.
func signals() error {
	c := make(chan os.Signal, 8)
	signal.Notify(c, syscall.SIGINT, syscall.SIGTERM, syscall.SIGUSR1, syscall.SIGHUP)
	fmt.Println("ready")
	for s := range c {
		fmt.Println(s)
		if s == syscall.SIGTERM {
			os.Exit(7)
		}
	}
	return nil
}

// stubborn ignores SIGINT and SIGTERM, and says at each SIGUSR1 that it lives.
func stubborn() error {
	signal.Ignore(syscall.SIGINT, syscall.SIGTERM)
	c := make(chan os.Signal, 8)
	signal.Notify(c, syscall.SIGUSR1)
	fmt.Println("ready")
	for range c {
		fmt.Println("lives")
	}
	return nil
}

// tcp answers, once the client has half-closed, with the peer's address, whether
// it is one of this host's networks, and what the client sent.
func tcp(address string) error {
	l, err := net.Listen("tcp", address)
	if err != nil {
		return err
	}
	fmt.Println("ready")
	for {
		c, err := l.Accept()
		if err != nil {
			return err
		}
		go func() {
			defer c.Close()
			b, _ := io.ReadAll(c)
			peer := c.RemoteAddr().(*net.TCPAddr).IP
			fmt.Fprintf(c, "%s %t %s", peer, isOwn(peer), b)
		}()
	}
}

// isOwn reports whether an interface has the address, as services do that trust
// their own host.
func isOwn(ip net.IP) bool {
	addrs, err := net.InterfaceAddrs()
	for _, a := range addrs {
		if n, ok := a.(*net.IPNet); ok && n.Contains(ip) {
			return true
		}
	}
	return err != nil
}

func udp(address string) error {
	c, err := net.ListenPacket("udp", address)
	if err != nil {
		return err
	}
	fmt.Println("ready")
	b := make([]byte, 1500)
	for {
		n, from, err := c.ReadFrom(b)
		if err != nil {
			return err
		}
		c.WriteTo(fmt.Appendf(nil, "%s %s", from.(*net.UDPAddr).IP, b[:n]), from)
	}
}
