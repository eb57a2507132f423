package main

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// watchedArg makes this program become another one that is watched.
const watchedArg = "watched"

// spoken counts calls by the address that they name.
type spoken map[string]int

func (s spoken) String() string {
	if len(s) == 0 {
		return "nobody"
	}
	var parts []string
	for _, to := range slices.Sorted(maps.Keys(s)) {
		parts = append(parts, fmt.Sprintf("%s (%d)", to, s[to]))
	}
	return strings.Join(parts, ", ")
}

// others is the number of addresses that are not the one expected.
func (s spoken) others(expected string) int {
	n := len(s)
	if _, ok := s[expected]; ok {
		n--
	}
	return n
}

// watch runs a command and tells which internet addresses it names in connect
// and send calls. The calls go on as they are: this is an observation, not a
// wall, and the program watched is not trying to hide. A program that fails is
// no error: it may fail for what it cannot reach.
//
// Source: seccomp_unotify(2).
func (b *bed) watch(ctx context.Context, c command) (spoken, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("watch: %w", err)
	}
	told, tell, err := os.Pipe() // the number of the listener, from the child
	if err != nil {
		return nil, fmt.Errorf("watch: %w", err)
	}
	defer told.Close()
	wait, release, err := os.Pipe() // go on, to the child
	if err != nil {
		tell.Close()
		return nil, fmt.Errorf("watch: %w", err)
	}
	defer release.Close()
	cmd := exec.CommandContext(ctx, self, append([]string{watchedArg}, c.argv...)...)
	cmd.Dir, cmd.Env = filepath.Join(b.dir, c.dir), append(b.env[:len(b.env):len(b.env)], c.env...)
	cmd.ExtraFiles = []*os.File{tell, wait}
	cmd.WaitDelay = 10 * time.Second
	err = cmd.Start()
	tell.Close()
	wait.Close()
	if err != nil {
		return nil, fmt.Errorf("watch: %w", err)
	}
	listener, err := takeListener(cmd.Process.Pid, told)
	if err != nil {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		return nil, fmt.Errorf("watch %s: %w", filepath.Base(c.argv[0]), err)
	}
	all := make(spoken)
	var watching sync.WaitGroup
	watching.Go(func() { listen(listener, all) })
	release.Close()
	err = cmd.Wait()
	watching.Wait()
	unix.Close(listener)
	var exit *exec.ExitError
	if err != nil && (!errors.As(err, &exit) || ctx.Err() != nil) {
		return nil, fmt.Errorf("watch %s: %w", filepath.Base(c.argv[0]), err)
	}
	return all, nil
}

// watched is the child's half: it installs the filter, hands the listener over
// and becomes the program.
func watched(argv []string) error {
	path, err := exec.LookPath(argv[0])
	if err != nil {
		return err
	}
	runtime.LockOSThread() // the filter is this thread's, and execve(2) is called from it
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return fmt.Errorf("install filter: %w", err)
	}
	filter := []unix.SockFilter{{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS}} // seccomp_data.nr
	calls := []uint32{unix.SYS_CONNECT, unix.SYS_SENDTO, unix.SYS_SENDMSG, unix.SYS_SENDMMSG}
	for i, call := range calls {
		filter = append(filter, unix.SockFilter{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, Jt: uint8(len(calls) - i), K: call})
	}
	filter = append(
		filter,
		unix.SockFilter{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_ALLOW},
		unix.SockFilter{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_USER_NOTIF},
	)
	program := unix.SockFprog{Len: uint16(len(filter)), Filter: &filter[0]}
	fd, _, errno := unix.Syscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, unix.SECCOMP_FILTER_FLAG_NEW_LISTENER, uintptr(unsafe.Pointer(&program)))
	if errno != 0 {
		return fmt.Errorf("install filter: %w", errno)
	}
	if _, err := unix.Write(3, strconv.AppendUint(nil, uint64(fd), 10)); err != nil {
		return fmt.Errorf("hand over listener: %w", err)
	}
	unix.CloseOnExec(4)
	unix.Close(3)
	if n, err := unix.Read(4, make([]byte, 1)); n != 0 || err != nil {
		return fmt.Errorf("wait for the watcher: %w", err)
	}
	return unix.Exec(path, argv, os.Environ())
}

// takeListener copies the child's listener.
func takeListener(pid int, told io.Reader) (int, error) {
	text, err := io.ReadAll(io.LimitReader(told, 16))
	if err != nil {
		return -1, err
	}
	fd, err := strconv.Atoi(string(text))
	if err != nil {
		return -1, errors.New("the filter was not installed")
	}
	pidfd, err := unix.PidfdOpen(pid, 0)
	if err != nil {
		return -1, fmt.Errorf("take listener: %w", err)
	}
	defer unix.Close(pidfd)
	if fd, err = unix.PidfdGetfd(pidfd, fd, 0); err != nil {
		return -1, fmt.Errorf("take listener: %w", err)
	}
	return fd, nil
}

// A notification is struct seccomp_notif, an answer struct seccomp_notif_resp.
// Source: linux/seccomp.h.
type notification struct {
	id         uint64
	pid, flags uint32
	nr         int32
	arch       uint32
	ip         uint64
	args       [6]uint64
}

type answer struct {
	id    uint64
	val   int64
	err   int32
	flags uint32
}

// listen answers until the last process under the filter has ended.
func listen(fd int, all spoken) {
	for {
		ready := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
		if _, err := unix.Poll(ready, -1); err == syscall.EINTR {
			continue
		}
		if ready[0].Revents&unix.POLLIN == 0 {
			return
		}
		var n notification
		if _, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), unix.SECCOMP_IOCTL_NOTIF_RECV, uintptr(unsafe.Pointer(&n))); errno != 0 {
			continue // the caller was interrupted or has ended
		}
		for _, to := range destinations(&n) {
			all[to]++
		}
		a := answer{id: n.id, flags: unix.SECCOMP_USER_NOTIF_FLAG_CONTINUE}
		_, _, _ = unix.Syscall(unix.SYS_IOCTL, uintptr(fd), unix.SECCOMP_IOCTL_NOTIF_SEND, uintptr(unsafe.Pointer(&a)))
	}
}

// maxMessages bounds the messages of one sendmmsg(2), as the kernel does.
const maxMessages = 1024

// destinations are the internet addresses that a call names. A send on a
// connected socket names none: its connect did.
func destinations(n *notification) []string {
	switch int(n.nr) {
	case unix.SYS_CONNECT:
		return address(n.pid, n.args[1], n.args[2])
	case unix.SYS_SENDTO:
		return address(n.pid, n.args[4], n.args[5])
	}
	// struct msghdr begins with a pointer to the address and its length; an
	// element of sendmmsg's array has another word behind it.
	count, size := uint64(1), uint64(unsafe.Sizeof(unix.Msghdr{}))
	if int(n.nr) == unix.SYS_SENDMMSG {
		count, size = min(n.args[2], maxMessages), size+8
	}
	var all []string
	for i := range count {
		head := peek(n.pid, n.args[1]+i*size, 12)
		if head == nil {
			return append(all, "unreadable")
		}
		all = append(all, address(n.pid, binary.NativeEndian.Uint64(head), uint64(binary.NativeEndian.Uint32(head[8:])))...)
	}
	return all
}

// address reads a socket address. Those of other families leave the machine by
// no network.
func address(pid uint32, at, size uint64) []string {
	if at == 0 || size < 4 { // not even a family and a port
		return nil
	}
	raw := peek(pid, at, min(size, unix.SizeofSockaddrInet6))
	if raw == nil {
		return []string{"unreadable"}
	}
	port := binary.BigEndian.Uint16(raw[2:])
	var ip netip.Addr
	switch family := binary.NativeEndian.Uint16(raw); {
	case family == unix.AF_INET && len(raw) >= 8:
		ip = netip.AddrFrom4([4]byte(raw[4:8]))
	case family == unix.AF_INET6 && len(raw) >= 24:
		ip = netip.AddrFrom16([16]byte(raw[8:24]))
	default:
		return nil
	}
	if port == 53 {
		return []string{"a name server"} // whose address is this machine's own affair
	}
	return []string{netip.AddrPortFrom(ip, port).String()}
}

// peek reads another process's memory, or gives nil.
func peek(pid uint32, at, size uint64) []byte {
	buf := make([]byte, size)
	local := []unix.Iovec{{Base: &buf[0], Len: size}}
	n, err := unix.ProcessVMReadv(int(pid), local, []unix.RemoteIovec{{Base: uintptr(at), Len: int(size)}}, 0)
	if err != nil || n != len(buf) {
		return nil
	}
	return buf
}
