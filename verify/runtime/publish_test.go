package runtime

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/immure-dev/immure/internal/reflect"
)

// clientAddress is where the service sees published connections come from.
const clientAddress = "192.0.2.1"

// published runs a service that says "ready" and lets use talk to its one
// published port before the service is ended.
func published(t *testing.T, o Options, ready string, use func(address string)) {
	t.Helper()
	r, w := pipe(t)
	o.Stdout = w
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	used := make(chan struct{})
	o.Started = func(run Running) {
		go func() {
			defer close(used)
			defer cancel()
			lines := bufio.NewScanner(r)
			for lines.Scan() {
				if strings.Contains(lines.Text(), ready) {
					use(run.Publish[0].Host.String())
					return
				}
			}
			t.Error("the service ended before it was ready")
		}()
	}
	if _, err := Run(ctx, o); err == nil || ctx.Err() == nil {
		t.Errorf("got %v, want the end of the context", err)
	}
	w.Close()
	<-used
}

func publish(t *testing.T, text string) []Port {
	t.Helper()
	p, err := ParsePort(text)
	if err != nil {
		t.Fatal(err)
	}
	return []Port{p}
}

func TestPublishTCP(t *testing.T) {
	o := sandbox(t, "tcp", "tcp", ":8080")
	o.Publish = publish(t, "127.0.0.1:0:8080")
	published(t, o, "ready", func(address string) {
		for i := range 50 {
			c, err := net.Dial("tcp", address)
			if err != nil {
				t.Error(err)
				return
			}
			fmt.Fprintf(c, "request %d", i)
			c.(*net.TCPConn).CloseWrite() // the service answers only then
			b, err := io.ReadAll(c)
			if want := fmt.Sprintf("%s false request %d", clientAddress, i); err != nil || string(b) != want {
				t.Errorf("got %q, %v, want %q", b, err, want)
			}
			c.Close()
		}
	})
}

// A service that listens on loopback alone is not published.
func TestPublishDoesNotReachLoopback(t *testing.T) {
	o := sandbox(t, "loopback", "tcp", "127.0.0.1:8080")
	o.Publish = publish(t, "127.0.0.1:0:8080")
	published(t, o, "ready", func(address string) {
		c, err := net.Dial("tcp", address)
		if err != nil {
			return // the reset came before the dial was done
		}
		defer c.Close()
		c.(*net.TCPConn).CloseWrite()
		if b, _ := io.ReadAll(c); len(b) > 0 {
			t.Errorf("a service on loopback answered %q", b)
		}
	})
}

func TestPublishUDP(t *testing.T) {
	o := sandbox(t, "udp", "udp", ":5353")
	o.Publish = publish(t, "127.0.0.1:0:5353/udp")
	published(t, o, "ready", func(address string) {
		for range 2 { // two clients, each with its own answers
			c, err := net.Dial("udp", address)
			if err != nil {
				t.Error(err)
				return
			}
			defer c.Close()
			fmt.Fprintf(c, "from %s", c.LocalAddr())
			b := make([]byte, 1500)
			n, err := c.Read(b)
			if want := fmt.Sprintf("%s from %s", clientAddress, c.LocalAddr()); err != nil || string(b[:n]) != want {
				t.Errorf("got %q, %v, want %q", b[:n], err, want)
			}
		}
	})
}

func TestAnOccupiedPortIsAnErrorBeforeAnythingStarts(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	o := sandbox(t, "occupied", "wait")
	o.Publish = publish(t, l.Addr().String()+":80")
	if _, err := Run(t.Context(), o); err == nil || !strings.Contains(err.Error(), "address already in use") {
		t.Errorf("got %v", err)
	}
	if _, err := os.Stat(o.StateDir); !os.IsNotExist(err) {
		t.Errorf("the state directory was made: %v", err)
	}
}

// A service without its reflector is cut off, so the run does not go on.
func TestAKilledReflectorEndsTheRun(t *testing.T) {
	o := sandbox(t, "reflector", "tcp", ":8080")
	o.Publish = publish(t, "127.0.0.1:0:8080")
	o.Started = func(Running) {
		children, err := filepath.Glob("/proc/self/task/*/children")
		if err != nil {
			t.Error(err)
		}
		for _, path := range children {
			b, _ := os.ReadFile(path)
			for _, pid := range strings.Fields(string(b)) {
				args, _ := os.ReadFile("/proc/" + pid + "/cmdline")
				if !strings.HasPrefix(string(args), "immure-reflector") {
					continue
				}
				wantConfined(t, pid)
				exec.Command("kill", "-KILL", pid).Run()
			}
		}
	}
	if _, err := Run(t.Context(), o); err == nil || !strings.Contains(err.Error(), "reflector has ended") {
		t.Errorf("got %v", err)
	}
}

// wantConfined checks what the reflector is left with.
func wantConfined(t *testing.T, pid string) {
	t.Helper()
	b, err := os.ReadFile("/proc/" + pid + "/status")
	if err != nil {
		t.Error(err)
	}
	for _, want := range []string{
		"\nUid:\t65534\t65534\t65534\t65534\n", "\nGid:\t65534\t65534\t65534\t65534\n", "\nGroups:\t \n", "\nNoNewPrivs:\t1\n",
		"\nCapInh:\t0000000000000000\n", "\nCapPrm:\t0000000000000000\n", "\nCapEff:\t0000000000000000\n",
		"\nCapBnd:\t0000000000000000\n", "\nCapAmb:\t0000000000000000\n",
	} {
		if !strings.Contains(string(b), want) {
			t.Errorf("reflector: no %q in its status:\n%s", want, b)
		}
	}
	own, _ := os.Readlink("/proc/self/ns/net")
	if theirs, err := os.Readlink("/proc/" + pid + "/ns/net"); err != nil || theirs == own {
		t.Errorf("reflector: its network namespace is %q, %v", theirs, err)
	}
}

// Redis in protected mode answers loopback alone. A client that comes by a
// published port is not to pass for one.
func TestRedisInProtectedModeRefusesPublishedClients(t *testing.T) {
	// Debian's redis-server is this program by another name, in a package that
	// starts no daemon.
	program, err := exec.LookPath("redis-check-rdb")
	if err != nil {
		t.Fatalf("this test runs redis: %v; apt-get install redis-tools", err)
	}
	for _, mode := range []string{"yes", "no"} {
		t.Run("protected-mode="+mode, func(t *testing.T) {
			o := sandbox(t, "redis")
			hostProgram(t, &o, "/redis-server", "--port", "6379", "--save", "", "--protected-mode", mode, "--bind", "0.0.0.0")
			if err := os.Symlink(program, filepath.Join(o.Rootfs, "redis-server")); err != nil {
				t.Fatal(err)
			}
			o.Publish = publish(t, "127.0.0.1:0:6379")
			published(t, o, "Ready to accept connections", func(address string) {
				c, err := net.Dial("tcp", address)
				if err != nil {
					t.Error(err)
					return
				}
				defer c.Close()
				fmt.Fprint(c, "PING\r\n")
				line, err := bufio.NewReader(c).ReadString('\n')
				want := map[string]string{"yes": "-DENIED Redis is running in protected mode", "no": "+PONG"}[mode]
				if !strings.HasPrefix(line, want) {
					t.Errorf("got %q, %v, want %q", line, err, want)
				}
			})
		})
	}
}

// The addresses of publishing belong to the service's namespace alone.
func TestPublishRefusesTheHostsNamespace(t *testing.T) {
	o := sandbox(t, "host", "tcp", ":8080")
	o.Publish = publish(t, "127.0.0.1:0:8080")
	o.Config = config(t, o.Rootfs, o.ID, func(c map[string]any) {
		c["linux"].(map[string]any)["namespaces"] = []map[string]string{{"type": "pid"}, {"type": "mount"}}
	})
	if _, err := Run(t.Context(), o); err == nil || !strings.Contains(err.Error(), "network namespace") {
		t.Errorf("got %v", err)
	}
	own, err := os.Open("/proc/self/ns/net")
	if err != nil {
		t.Fatal(err)
	}
	defer own.Close()
	pidfd, err := unix.PidfdOpen(os.Getpid(), 0)
	if err != nil {
		t.Fatal(err)
	}
	self := os.NewFile(uintptr(pidfd), "pidfd")
	defer self.Close()
	l, err := reflect.Listen(t.Context(), o.Publish)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if _, err := l.Reflect(own, self); err == nil || !strings.Contains(err.Error(), "shares the host's") {
		t.Errorf("got %v", err)
	}
}
