//go:build e2e

package hostile_test

import (
	"bufio"
	"io"
	"net"
	"os"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// redis is a real service, from Debian's packages, in protected mode.
func redis(tb testing.TB) *fixture {
	tb.Helper()
	return build(tb, "testdata/redis/immure.yaml")
}

// ask sends one command and returns the answer's first line.
func ask(tb testing.TB, c net.Conn) string {
	tb.Helper()
	must(tb, c.SetDeadline(time.Now().Add(patience)))
	_, err := io.WriteString(c, "PING\r\n")
	must(tb, err)
	line, err := bufio.NewReader(c).ReadString('\n')
	must(tb, err)
	return strings.TrimSpace(line)
}

// Redis in protected mode answers its own host alone. A published port must not
// make the world look like its own host; a client within the service's network
// namespace is one of it, so that the denial is known to be about the place.
func TestProtectedRedisDeniesPublishedClients(t *testing.T) {
	f := redis(t)
	r := start(t, f, "--name", "hostile-redis", "-p", "0.0.0.0:0:6379")
	r.says(t, "Ready to accept connections")
	addresses, err := net.InterfaceAddrs()
	must(t, err)
	asked := 0
	for _, a := range addresses {
		ip := a.(*net.IPNet).IP.To4()
		if ip == nil {
			continue
		}
		at := net.TCPAddr{IP: ip, Port: int(r.Publish[0].Host.Port())}
		c, err := net.Dial("tcp4", at.String())
		must(t, err)
		if answer := ask(t, c); !strings.HasPrefix(answer, "-DENIED") {
			t.Errorf("a client at %s is answered %q", &at, answer)
		}
		must(t, c.Close())
		asked++
	}
	if asked == 0 {
		t.Error("this machine has no IPv4 address to ask from")
	}
	c := within(t, r.PID, "127.0.0.1:6379")
	if answer := ask(t, c); answer != "+PONG" {
		t.Errorf("a client of its own host is answered %q", answer)
	}
	must(t, c.Close())
	r.signal(t, syscall.SIGTERM)
	if status := r.wait(); status != 0 {
		t.Errorf("redis ended with status %d", status)
	}
	nothingLeft(t, "hostile-redis")
}

// within dials from inside the network namespace of a process.
func within(tb testing.TB, pid int, address string) net.Conn {
	tb.Helper()
	netns, err := os.Open("/proc/" + strconv.Itoa(pid) + "/ns/net")
	must(tb, err)
	defer netns.Close()
	type dialled struct {
		net.Conn
		error
	}
	done := make(chan dialled)
	go func() {
		runtime.LockOSThread() // and never unlocked: the thread ends with the goroutine
		err := unix.Setns(int(netns.Fd()), unix.CLONE_NEWNET)
		var c net.Conn
		if err == nil {
			c, err = net.Dial("tcp4", address)
		}
		done <- dialled{c, err}
	}()
	d := <-done
	must(tb, d.error)
	return d.Conn
}
