// Command probe is a small service that serves itself one request, makes the
// runtime work, and then tries what no service may. It prints one line for each
// thing that did not go as it should, and "done" at the end.
package main

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"runtime"
	"sync"

	"golang.org/x/sys/unix"
)

func main() {
	if err := serve(); err != nil {
		fmt.Println("serve:", err)
	}
	work()
	for what, try := range forbidden {
		if err := try(); err != unix.EPERM {
			fmt.Printf("%s: got %v, want %v\n", what, err, unix.EPERM)
		}
	}
	if _, _, e := unix.Syscall(unix.SYS_CLONE3, 0, 0, 0); e != unix.ENOSYS {
		fmt.Printf("clone3: got %v, want %v\n", e, unix.ENOSYS)
	}
	fmt.Println("done")
}

func serve() error {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	server := &http.Server{Handler: http.FileServer(http.Dir("/"))}
	go func() { _ = server.Serve(l) }()
	answer, err := http.Get("http://" + l.Addr().String() + "/")
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	if _, err := io.Copy(io.Discard, answer.Body); err != nil {
		return err
	}
	if answer.StatusCode != http.StatusOK {
		return fmt.Errorf("status %s", answer.Status)
	}
	return server.Close()
}

// work makes threads, memory, signals and collections.
func work() {
	var all sync.WaitGroup
	for range 16 {
		all.Go(func() {
			runtime.LockOSThread()
			block := make([]byte, 4<<20)
			for i := range block {
				block[i] = byte(i)
			}
			runtime.GC()
		})
	}
	all.Wait()
	if _, err := os.ReadDir("/proc/self/fd"); err != nil {
		fmt.Println("read directory:", err)
	}
}

func call(number uintptr, args ...uintptr) func() error {
	var a [6]uintptr
	copy(a[:], args)
	return func() error {
		if _, _, e := unix.Syscall6(number, a[0], a[1], a[2], a[3], a[4], a[5]); e != 0 {
			return e
		}
		return nil
	}
}

// forbidden are calls that would fail otherwise, or succeed, but not with EPERM.
var forbidden = map[string]func() error{
	"AF_ALG socket":             call(unix.SYS_SOCKET, unix.AF_ALG, unix.SOCK_SEQPACKET, 0),
	"AF_NETLINK socket":         call(unix.SYS_SOCKET, unix.AF_NETLINK, unix.SOCK_RAW, 0),
	"AF_VSOCK socket":           call(unix.SYS_SOCKET, unix.AF_VSOCK, unix.SOCK_STREAM, 0),
	"MPTCP socket":              call(unix.SYS_SOCKET, unix.AF_INET, unix.SOCK_STREAM, unix.IPPROTO_MPTCP),
	"io_uring_setup":            call(unix.SYS_IO_URING_SETUP, 1, 0),
	"user namespace":            call(unix.SYS_UNSHARE, unix.CLONE_NEWUSER),
	"user namespace by clone":   call(unix.SYS_CLONE, unix.CLONE_NEWUSER|uintptr(unix.SIGCHLD)),
	"fork":                      call(unix.SYS_CLONE, uintptr(unix.SIGCHLD)),
	"userfaultfd":               call(unix.SYS_USERFAULTFD, 1),
	"keyctl":                    call(unix.SYS_KEYCTL, 0, ^uintptr(2), 0),
	"ptrace":                    call(unix.SYS_PTRACE, unix.PTRACE_PEEKUSR, 0),
	"memory write and execute":  call(unix.SYS_MMAP, 0, 4096, unix.PROT_WRITE|unix.PROT_EXEC, unix.MAP_PRIVATE|unix.MAP_ANON, ^uintptr(0), 0),
	"memory made executable":    call(unix.SYS_MPROTECT, 0, 0, unix.PROT_EXEC),
	"personality":               call(unix.SYS_PERSONALITY, 0x0040000),
	"another process's limits":  call(unix.SYS_PRLIMIT64, 4711, unix.RLIMIT_NOFILE, 0, 0),
	"memfd_create":              call(unix.SYS_MEMFD_CREATE, 0, 0),
	"characters into a console": call(unix.SYS_IOCTL, 0, unix.TIOCSTI, 0),
}
