package observe

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// otherThread is argv[0] of a test program that executes another from a thread
// that is not its first.
const otherThread = "exec-from-another-thread"

func TestMain(m *testing.M) {
	if os.Args[0] == otherThread {
		fmt.Println("ready")
		bufio.NewReader(os.Stdin).ReadString('\n')
		execElsewhere()
	}
	os.Exit(m.Run())
}

func execElsewhere() {
	onOwnThread(func() {
		fmt.Println(unix.Exec("/bin/echo", []string{"echo", "has run"}, nil))
		os.Exit(1)
	})
	select {}
}

// onOwnThread starts f on a thread that is not the first and ends with f.
func onOwnThread(f func()) {
	go func() {
		runtime.LockOSThread()
		if unix.Gettid() == unix.Getpid() {
			defer runtime.UnlockOSThread()
			ended := make(chan struct{})
			onOwnThread(func() { defer close(ended); f() }) // elsewhere, for this one is taken
			<-ended
			return
		}
		f()
	}()
}

// A seized is a process under test that said "ready".
type seized struct {
	*Tracee
	cmd *exec.Cmd
	in  io.WriteCloser
	out *bufio.Reader
}

// seize starts a program and takes hold of it on the test's own thread.
func seize(t *testing.T, cmd *exec.Cmd) *seized {
	t.Helper()
	runtime.LockOSThread()
	t.Cleanup(runtime.UnlockOSThread)
	s := &seized{cmd: cmd}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if s.in, err = cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cmd.Process.Kill(); cmd.Wait() })
	s.out = bufio.NewReader(out)
	if line, err := s.out.ReadString('\n'); err != nil || line != "ready\n" {
		t.Fatalf("got %q, %v", line, err)
	}
	pidfd, err := unix.PidfdOpen(cmd.Process.Pid, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Close(pidfd) })
	if s.Tracee, err = Seize(cmd.Process.Pid, pidfd); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

func perl(script string) *exec.Cmd {
	return exec.Command("/usr/bin/perl", "-e", `use POSIX; $| = 1; `+script)
}

const readyThenExec = `print "ready\n"; sysread STDIN, $_, 1; exec "/bin/echo", "has run"`

// rest is what the process has written after "ready", once it has ended.
func (s *seized) rest(t *testing.T) string {
	t.Helper()
	b, err := io.ReadAll(s.out)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestUntilExecStopsBeforeTheFirstInstruction(t *testing.T) {
	s := seize(t, perl(readyThenExec))
	fmt.Fprintln(s.in, "go")
	if err := s.UntilExec(); err != nil {
		t.Fatal(err)
	}
	status, err := ReadStatus(s.pid)
	if err != nil || status.Executable != "/usr/bin/echo" {
		t.Errorf("got %+v, %v", status, err)
	}
	if err := s.Release(); err != nil {
		t.Error(err)
	}
	if out := s.rest(t); out != "has run\n" {
		t.Errorf("wrote %q", out)
	}
	if err := s.cmd.Wait(); err != nil {
		t.Error(err)
	}
}

func TestCloseKillsBeforeTheFirstInstruction(t *testing.T) {
	s := seize(t, perl(readyThenExec))
	fmt.Fprintln(s.in, "go")
	if err := s.UntilExec(); err != nil {
		t.Fatal(err)
	}
	s.Close()
	s.wantKilled(t)
}

// wantKilled wants that nothing ran and that the process waits to be reaped.
func (s *seized) wantKilled(t *testing.T) {
	t.Helper()
	if out := s.rest(t); out != "" {
		t.Errorf("wrote %q", out)
	}
	s.cmd.Wait()
	if ws := s.cmd.ProcessState.Sys().(syscall.WaitStatus); !ws.Signaled() || ws.Signal() != unix.SIGKILL {
		t.Errorf("ended with %v", s.cmd.ProcessState)
	}
}

func TestAProcessKilledAtItsExecIsNotReleased(t *testing.T) {
	s := seize(t, perl(readyThenExec))
	fmt.Fprintln(s.in, "go")
	if err := s.UntilExec(); err != nil {
		t.Fatal(err)
	}
	unix.Kill(s.pid, unix.SIGKILL)
	var ended *EndedError
	if err := s.Release(); !errors.As(err, &ended) || ended.Status.Signal() != unix.SIGKILL {
		t.Errorf("got %v", err)
	}
	s.wantKilled(t)
}

// The kernel ends the first thread without a word to whoever traces it.
func TestAnExecFromAnotherThreadIsNotMissed(t *testing.T) {
	s := seize(t, &exec.Cmd{Path: "/proc/self/exe", Args: []string{otherThread}})
	fmt.Fprintln(s.in, "go")
	var ended *EndedError
	if err := s.UntilExec(); !errors.As(err, &ended) {
		t.Errorf("got %v", err)
	}
	s.wantKilled(t)
}

func TestUntilExecReportsAnEnd(t *testing.T) {
	for _, c := range []struct{ name, script, want string }{
		{"status", `exit 3`, "ended with status 3"},
		{"failed exec", `exec "/absent"; exit 127`, "ended with status 127"},
		{"signal", `kill SIGSYS, $$`, "ended by SIGSYS"},
		{"kill", `kill SIGKILL, $$`, "ended by SIGKILL"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := seize(t, perl(`print "ready\n"; sysread STDIN, $_, 1; `+c.script))
			fmt.Fprintln(s.in, "go")
			if err := s.UntilExec(); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want %q", err, c.want)
			}
			s.cmd.Wait()
			if ws := s.cmd.ProcessState.Sys().(syscall.WaitStatus); ws.Stopped() || ws.Continued() {
				t.Errorf("not reaped: %v", s.cmd.ProcessState)
			}
		})
	}
}

func TestSignalsReachAProcessThatIsHeld(t *testing.T) {
	s := seize(t, perl(`$SIG{USR1} = sub { exec "/bin/echo", "by a signal" }; print "ready\n"; sleep 1000 while 1`))
	unix.Kill(s.pid, unix.SIGUSR1)
	if err := s.UntilExec(); err != nil {
		t.Fatal(err)
	}
	if err := s.Release(); err != nil {
		t.Error(err)
	}
	if out := s.rest(t); out != "by a signal\n" {
		t.Errorf("wrote %q", out)
	}
}

// A stopped process stays so until SIGCONT, as an untraced one does.
func TestAHeldProcessCanBeStoppedAndContinued(t *testing.T) {
	s := seize(t, perl(readyThenExec))
	unix.Kill(s.pid, unix.SIGSTOP)
	for _, event := range []int{0, unix.PTRACE_EVENT_STOP} { // its delivery, its effect
		got, err := s.next()
		if err != nil || got.signal != int(unix.SIGSTOP) || got.event != event {
			t.Fatalf("got %+v, %v, want event %d", got, err, event)
		}
		if err := s.resume(got); err != nil {
			t.Fatal(err)
		}
	}
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", s.pid))
	if err != nil || !strings.Contains(string(b), "State:\tt") {
		t.Errorf("it does not stay stopped: %v\n%s", err, b)
	}
	fmt.Fprintln(s.in, "go")
	unix.Kill(s.pid, unix.SIGCONT)
	if err := s.UntilExec(); err != nil {
		t.Fatal(err)
	}
	if err := s.Release(); err != nil {
		t.Error(err)
	}
	if out := s.rest(t); out != "has run\n" {
		t.Errorf("wrote %q", out)
	}
}

// The kernel's own part of the promise: no tracer, no process.
func TestAHeldProcessDiesWithTheThreadThatHoldsIt(t *testing.T) {
	held := make(chan *seized)
	onOwnThread(func() {
		cmd := perl(readyThenExec)
		out, _ := cmd.StdoutPipe()
		s := &seized{cmd: cmd, out: bufio.NewReader(out)}
		defer func() { held <- s }()
		s.in, _ = cmd.StdinPipe()
		if err := cmd.Start(); err != nil {
			t.Error(err)
			return
		}
		s.out.ReadString('\n')
		pidfd, err := unix.PidfdOpen(cmd.Process.Pid, 0)
		if err == nil {
			_, err = Seize(cmd.Process.Pid, pidfd)
			unix.Close(pidfd)
		}
		if err != nil {
			t.Error(err)
		}
	})
	s := <-held
	if t.Failed() {
		return
	}
	s.wantKilled(t)
}

func TestASecondTracerIsToldOfTheFirst(t *testing.T) {
	s := seize(t, perl(readyThenExec))
	told := make(chan error)
	go func() {
		_, err := Seize(s.pid, s.pidfd)
		told <- err
	}()
	// The tracer is a thread, the one that this test is locked to.
	if err := <-told; err == nil || !strings.Contains(err.Error(), fmt.Sprintf("process %d traces it already", unix.Gettid())) {
		t.Errorf("got %v", err)
	}
}

func TestWhatForbidsToTraceIsNamed(t *testing.T) {
	for _, c := range []struct {
		scope  string
		tracer int
		want   string
	}{
		{"", 0, "CAP_SYS_PTRACE"},
		{"1", 0, "CAP_SYS_PTRACE"},
		{"3", 0, "kernel.yama.ptrace_scope"},
		{"3", 17, "process 17"},
	} {
		if err := refusedTrace(c.scope, c.tracer); !errors.Is(err, unix.EPERM) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("scope %q, tracer %d: got %v, want %q", c.scope, c.tracer, err, c.want)
		}
	}
}

// A runtime that executes a copy of itself is told from the service.
func TestAProgramOutsideTheRootIsToldApart(t *testing.T) {
	program, err := os.ReadFile("/bin/cat")
	if err != nil {
		t.Fatal(err)
	}
	fd, err := unix.MemfdCreate("copy", 0)
	if err != nil {
		t.Fatal(err)
	}
	memory := os.NewFile(uintptr(fd), "copy")
	defer memory.Close()
	if _, err := memory.Write(program); err != nil {
		t.Fatal(err)
	}
	cmd := &exec.Cmd{Path: "/proc/self/fd/3", Args: []string{"cat"}, ExtraFiles: []*os.File{memory}}
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	s, err := ReadStatus(cmd.Process.Pid)
	in.Close()
	cmd.Wait()
	if err != nil || s.Executable != "" || !strings.Contains(s.Outside, "memfd:copy") {
		t.Errorf("got program %q, outside %q, %v", s.Executable, s.Outside, err)
	}
}

// The kernel's answer for a process that has ended is that for one that must
// not be traced.
func TestSeizeOfTheDead(t *testing.T) {
	pidfd := -1
	cmd := exec.Command("true")
	cmd.SysProcAttr = &syscall.SysProcAttr{PidFD: &pidfd}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer cmd.Wait()
	defer unix.Close(pidfd)
	fds := []unix.PollFd{{Fd: int32(pidfd), Events: unix.POLLIN}}
	for {
		if n, err := unix.Poll(fds, -1); n == 1 {
			break
		} else if err != unix.EINTR {
			t.Fatal(err)
		}
	}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	held, err := Seize(cmd.Process.Pid, pidfd)
	var ended *EndedError
	if held != nil || !errors.As(err, &ended) || ended.Error() != "the process ended before it executed a program" {
		t.Errorf("got %v", err)
	}
}
