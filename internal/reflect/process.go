package reflect

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// childName is argv[0] of the reflector.
const childName = "immure-reflector"

// Descriptors of the reflector, in the order of its ExtraFiles.
const (
	lifeFD   = 3 // a pipe that nobody writes to: end of file is the starter's death
	statusFD = 4 // a pipe: [statusReady], or what went wrong
	initFD   = 5 // a pidfd: readable once the service has ended
	firstFD  = 6 // the host's sockets, one for each argument
)

const (
	statusReady = "ready"
	// maxStatus bounds what is read from the reflector, in bytes.
	maxStatus = 1024
)

// A Reflector is a running reflector process.
type Reflector struct {
	life   *os.File
	status *os.File
	done   chan struct{}
}

// Reflect starts the reflector in a network namespace other than the host's.
// It lives until the process of the pidfd ends, until [Reflector.Close], or
// until the caller's process dies, whichever is first. The caller may close
// both files, and the listeners, afterwards.
//
// The reflector is this very program, started again: its main function must
// call [Child] before anything else.
func (l *Listeners) Reflect(netns, pidfd *os.File) (*Reflector, error) {
	lifeR, lifeW, err := os.Pipe()
	if err != nil {
		return nil, fmt.Errorf("start reflector: %w", err)
	}
	defer lifeR.Close()
	statusR, statusW, err := os.Pipe()
	if err != nil {
		lifeW.Close()
		return nil, fmt.Errorf("start reflector: %w", err)
	}
	defer statusW.Close()

	cmd := &exec.Cmd{
		Path:       "/proc/self/exe", // this program, even if its file was replaced since
		Args:       []string{childName},
		Dir:        "/",
		Env:        []string{},
		ExtraFiles: append([]*os.File{lifeR, statusW, pidfd}, l.files...),
		SysProcAttr: &syscall.SysProcAttr{
			Setsid:     true, // a terminal's signals are for the service
			Pdeathsig:  syscall.SIGKILL,
			Credential: &syscall.Credential{Uid: nobody, Gid: nobody},
		},
	}
	for _, p := range l.ports {
		cmd.Args = append(cmd.Args, p.Proto+"/"+strconv.Itoa(int(p.Container)))
	}
	r := &Reflector{life: lifeW, status: statusR, done: make(chan struct{})}
	started := make(chan error, 1)
	onOwnThread(func() {
		defer close(r.done)
		// The reflector dies with the thread that forked it (PR_SET_PDEATHSIG,
		// prctl(2)), so this one waits here.
		err := startIn(netns, cmd)
		started <- err
		if err == nil {
			_ = cmd.Wait() // that it ended is all there is to know
		}
	})
	if err := <-started; err != nil {
		lifeW.Close()
		statusR.Close()
		<-r.done
		return nil, fmt.Errorf("start reflector: %w", err)
	}
	return r, nil
}

// onOwnThread runs f on a thread that ends with it, for what f gives up never
// comes back. It is never the main thread: the Go runtime cannot end that one,
// and /proc/self would go on showing it.
func onOwnThread(f func()) {
	go func() {
		runtime.LockOSThread()
		if unix.Gettid() != unix.Getpid() {
			f()
			return // locked: the runtime ends the thread
		}
		elsewhere := make(chan struct{})
		go func() {
			runtime.LockOSThread()
			close(elsewhere)
			f()
		}()
		<-elsewhere
		runtime.UnlockOSThread()
	}()
}

// startIn confines the calling thread and starts the command on it.
func startIn(netns *os.File, cmd *exec.Cmd) error {
	if err := enter(netns); err != nil {
		return err
	}
	if err := configure(); err != nil {
		return err
	}
	if err := shed(); err != nil {
		return err
	}
	err := cmd.Start()
	if errors.Is(err, fs.ErrPermission) {
		exe, _ := os.Readlink("/proc/self/exe")
		return fmt.Errorf("%w: the reflector runs as user %d, so make the program executable by others: chmod o+x %q", err, nobody, exe)
	}
	return err
}

// Ready waits until the reflector serves. Connections made before are queued
// by the kernel, not lost.
func (r *Reflector) Ready() error {
	defer r.status.Close()
	b, err := io.ReadAll(io.LimitReader(r.status, maxStatus))
	switch {
	case err != nil:
		return fmt.Errorf("start reflector: %w", err)
	case string(b) == statusReady:
		return nil
	case len(b) == 0:
		return fmt.Errorf("start reflector: it ended before it was ready")
	}
	return fmt.Errorf("start reflector: %s", strings.TrimSpace(string(b)))
}

// Done is closed when the reflector has ended and was reaped.
func (r *Reflector) Done() <-chan struct{} { return r.done }

// Close ends the reflector, and with it every connection, and waits for it. It
// may be called more than once, and after the reflector ended by itself.
func (r *Reflector) Close() {
	r.life.Close()
	<-r.done
	r.status.Close()
}

// Child runs the reflector when this process was started as one, and then
// reports true: the caller's main function returns at once. It is to be called
// first, before anything is read, opened or started.
func Child() bool {
	if len(os.Args) == 0 || os.Args[0] != childName {
		return false
	}
	status := os.NewFile(statusFD, "status")
	if err := serveChild(status); err != nil {
		fmt.Fprint(status, err)
		os.Exit(1)
	}
	return true
}

// confined checks that the starter's promises hold, so that a reflector
// started in any other way serves nobody.
func confined() error {
	if unix.Getuid() != nobody || unix.Geteuid() != nobody || unix.Getgid() != nobody || unix.Getegid() != nobody {
		return fmt.Errorf("not started as user %d", nobody)
	}
	if nnp, err := unix.PrctlRetInt(unix.PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0); err != nil || nnp != 1 {
		return fmt.Errorf("not started with no_new_privs")
	}
	return nil
}
