package observe

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// A Tracee is a process that is held by ptrace(2) from before it executes a
// program until it is let go. Nobody else can let it run on meanwhile, and it
// dies with the thread that holds it.
type Tracee struct {
	pid   int
	pidfd int
	over  bool // detached or dead
}

// An EndedError reports a process that ended without having executed a program.
type EndedError struct {
	// Status is how its first thread ended.
	Status unix.WaitStatus
}

// unknown is the status of a process of which nobody has asked for it.
const unknown unix.WaitStatus = 0x7f

// dead reports whether a process, which may not have been reaped, has ended.
func dead(pidfd int) bool {
	fds := []unix.PollFd{{Fd: int32(pidfd), Events: unix.POLLIN}}
	n, _ := unix.Poll(fds, 0) // interrupted, nothing has been seen
	return n > 0
}

func (e *EndedError) Error() string {
	switch {
	case e.Status.Signaled():
		return "the process was ended by " + unix.SignalName(e.Status.Signal()) + " before it executed a program"
	case e.Status.Exited():
		return fmt.Sprintf("the process ended with status %d before it executed a program", e.Status.ExitStatus())
	}
	return "the process ended before it executed a program"
}

// Seize takes hold of a process without stopping it. The process, named by its
// id and a pidfd, is a child of this process that nobody else reaps or waits
// for with waitid(2) until the end of [Tracee.Close]: a stop is reported to any
// wait, whatever it asked for (Linux kernel/exit.c, wait_task_stopped). The
// caller has locked its goroutine to its thread, and makes every call from it.
// It is an [EndedError] when the process has ended already.
func Seize(pid, pidfd int) (*Tracee, error) {
	// PTRACE_O_TRACEEXIT: when another thread than the first executes a program,
	// the kernel ends the first, silently for whoever traces it (fs/exec.c,
	// de_thread), and the program would run unseen. With this option the first
	// stops once more before it ends, and the other has to wait for that.
	const options = unix.PTRACE_O_TRACEEXEC | unix.PTRACE_O_TRACEEXIT | unix.PTRACE_O_EXITKILL
	if err := ptrace(unix.PTRACE_SEIZE, pid, options); err != nil {
		if dead(pidfd) { // which the kernel tells as EPERM too
			return nil, &EndedError{Status: unknown}
		}
		return nil, fmt.Errorf("trace process %d: %w", pid, whyNot(err, pid))
	}
	return &Tracee{pid: pid, pidfd: pidfd}, nil
}

// UntilExec waits until the process has executed a program and stands before
// the program's first instruction, with everything that execve(2) does to
// credentials done. Signals reach the process meanwhile. An [EndedError] says
// that it ended instead, by itself or killed; it is dead then.
func (t *Tracee) UntilExec() error {
	for {
		s, err := t.next()
		if err != nil {
			t.Close()
			return fmt.Errorf("wait for process %d: %w", t.pid, err)
		}
		switch {
		case s.ended:
			t.over = true
			return &EndedError{Status: s.status}
		case s.event == unix.PTRACE_EVENT_EXEC:
			return nil
		case s.event == unix.PTRACE_EVENT_EXIT:
			end := &EndedError{Status: unix.WaitStatus(unix.SIGKILL)}
			if message, err := unix.PtraceGetEventMsg(t.pid); err == nil { // else it is killed right now
				end.Status = unix.WaitStatus(message)
			}
			t.Close() // were it another thread that executes a program, this ends that one too
			return end
		}
		if err := t.resume(s); err != nil {
			t.Close()
			return err
		}
	}
}

// Release lets the process, which stands where [Tracee.UntilExec] left it, run
// untraced. It is an [EndedError] when the process has been killed there.
func (t *Tracee) Release() error {
	err := unix.PtraceDetach(t.pid)
	if err == nil {
		t.over = true
		return nil
	}
	t.Close()
	if err == unix.ESRCH { // no longer stopped: only SIGKILL does that
		return &EndedError{Status: unix.WaitStatus(unix.SIGKILL)}
	}
	return fmt.Errorf("let process %d run: %w", t.pid, err)
}

// Close kills a process that has not been released. After it the process is
// either untraced or dead, and remains to be reaped.
func (t *Tracee) Close() {
	for !t.over {
		// Repeated: one that came while the process was dying already is lost.
		_ = unix.PidfdSendSignal(t.pidfd, unix.SIGKILL, nil, 0)
		_ = unix.PtraceCont(t.pid, 0) // fails unless it is stopped
		s, err := t.next()
		t.over = err != nil || s.ended
	}
}

// A stop is what a traced process reports.
type stop struct {
	ended  bool            // a zombie: nothing will follow
	status unix.WaitStatus // of one that ended
	event  int             // PTRACE_EVENT_…, or 0 for a signal about to be delivered
	signal int
}

// next waits for the process to stop or end. It does not reap it.
func (t *Tracee) next() (stop, error) {
	s, err := waitStop(t.pid, unix.WSTOPPED|unix.WEXITED|unix.WNOWAIT)
	if err != nil || s.ended {
		return s, err
	}
	// Take the report, and only that: between the two calls the process may have
	// been killed, and its end is another's to reap.
	taken, err := waitStop(t.pid, unix.WSTOPPED|unix.WNOHANG)
	if err == unix.ECHILD || err == nil && taken == (stop{}) {
		return s, nil // killed in between
	}
	return taken, err
}

// resume lets a stopped process go on as if it were not traced.
func (t *Tracee) resume(s stop) error {
	var err error
	switch {
	case s.event == 0:
		err = unix.PtraceCont(t.pid, s.signal)
	case s.event == unix.PTRACE_EVENT_STOP && s.signal != int(unix.SIGTRAP):
		// Stopped by SIGSTOP or its kin: it stays so until SIGCONT.
		err = ptrace(unix.PTRACE_LISTEN, t.pid, 0)
	default:
		err = unix.PtraceCont(t.pid, 0)
	}
	if err != nil && err != unix.ESRCH { // killed: its end is what comes next
		return fmt.Errorf("let process %d go on: %w", t.pid, err)
	}
	return nil
}
