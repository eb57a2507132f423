package runtime

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func TestRunForwardsSignals(t *testing.T) {
	o := sandbox(t, "signals", "signals")
	r, w := pipe(t)
	o.Stdout = w
	var got []string
	read := make(chan struct{})
	started := make(chan struct{})
	o.Started = func(Running) { close(started) }
	go func() {
		defer close(read)
		<-started
		send := []syscall.Signal{unix.SIGUSR1, unix.SIGINT, unix.SIGINT, unix.SIGHUP, unix.SIGTERM}
		lines := bufio.NewScanner(r)
		for i := 0; lines.Scan(); i++ { // one for "ready", one for each signal
			got = append(got, lines.Text())
			if i < len(send) {
				unix.Kill(os.Getpid(), send[i])
			}
		}
	}()
	status, err := Run(t.Context(), o)
	w.Close()
	<-read
	const want = "ready user defined signal 1 interrupt interrupt hangup terminated"
	if status != 7 || err != nil || strings.Join(got, " ") != want {
		t.Errorf("got status %d, %v, signals %q", status, err, got)
	}
}

func TestASignalBeforeTheStartEndsTheRun(t *testing.T) {
	o := sandbox(t, "interrupted", "wait")
	o.Check = func(ctx context.Context, _ int) error {
		unix.Kill(os.Getpid(), unix.SIGINT)
		unix.Kill(os.Getpid(), unix.SIGINT)
		<-ctx.Done()
		return nil
	}
	o.Started = func(Running) { t.Error("an interrupted service was started") }
	_, err := Run(t.Context(), o)
	var interrupted *interruptedError
	if !errors.As(err, &interrupted) || interrupted.signal != unix.SIGINT {
		t.Errorf("got %v", err)
	}
}

// Such a service is the first process of its pid namespace, where the kernel
// drops what it has no handler for.
func TestASignalWithoutHandlerEndsTheService(t *testing.T) {
	for _, s := range []syscall.Signal{unix.SIGINT, unix.SIGTERM, unix.SIGQUIT, unix.SIGHUP} {
		t.Run(unix.SignalName(s), func(t *testing.T) {
			o := sandbox(t, "unhandled")
			hostProgram(t, &o, perl("")...)
			status, err := signalled(t, o, "ready", func(int) { unix.Kill(os.Getpid(), s) })
			if want := 128 + int(s); status != want || err != nil {
				t.Errorf("got status %d, %v, want %d", status, err, want)
			}
		})
	}
}

// What ignores SIGINT goes on, until someone insists. SIGUSR1, sent behind each,
// shows that it went on.
func TestInsistingEndsAServiceThatIgnoresSignals(t *testing.T) {
	o := sandbox(t, "ignoring", "stubborn")
	answers := 0
	status, err := signalled(t, o, "", func(int) {
		answers++
		unix.Kill(os.Getpid(), unix.SIGINT)
		unix.Kill(os.Getpid(), unix.SIGUSR1)
	})
	if status != 137 || err != nil || answers < insistCount {
		t.Errorf("got status %d, %v after %d answers", status, err, answers)
	}
}

// signalled runs a service and calls send at each of its lines that contains
// the text, with the line's number.
func signalled(t *testing.T, o Options, text string, send func(line int)) (int, error) {
	t.Helper()
	r, w := pipe(t)
	o.Stdout = w
	started := make(chan struct{})
	o.Started = func(Running) { close(started) }
	read := make(chan struct{})
	go func() {
		defer close(read)
		<-started
		lines := bufio.NewScanner(r)
		for i := 0; lines.Scan(); i++ {
			if strings.Contains(lines.Text(), text) {
				send(i)
			}
		}
	}()
	status, err := Run(t.Context(), o)
	w.Close()
	<-read
	return status, err
}

// relayTo starts a program that says "ready", as an ordinary process, and a
// relay that chooses for it.
func relayTo(t *testing.T, args ...string) *relay {
	t.Helper()
	cmd := exec.Command(args[0], args[1:]...)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
	})
	if line, err := bufio.NewReader(out).ReadString('\n'); err != nil || line != "ready\n" {
		t.Fatalf("got %q, %v", line, err)
	}
	pidfd, err := unix.PidfdOpen(cmd.Process.Pid, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Close(pidfd) })
	return &relay{pid: cmd.Process.Pid, pidfd: pidfd, started: true}
}

// perl arranges something for signals, says "ready" and waits. Unlike a shell
// it installs no handler of its own.
func perl(arrange string) []string {
	return []string{"/usr/bin/perl", "-e", "use POSIX; " + arrange + `; $| = 1; print "ready\n"; sleep 1000 while 1`}
}

// block is SIGINT and SIGTERM blocked.
const block = "sigprocmask(SIG_BLOCK, POSIX::SigSet->new(SIGINT, SIGTERM))"

func TestChoose(t *testing.T) {
	const sig, term, kill = unix.SIGINT, unix.SIGTERM, unix.SIGKILL
	for _, c := range []struct {
		name    string
		program []string
		signals []syscall.Signal
		seconds []int
		want    []syscall.Signal
		stopped syscall.Signal
	}{
		{"default", perl(""), []syscall.Signal{sig}, []int{0}, []syscall.Signal{kill}, sig},
		{"default, another signal", perl(""), []syscall.Signal{unix.SIGUSR1}, []int{0}, []syscall.Signal{unix.SIGUSR1}, 0},
		{"handled", perl("$SIG{INT} = sub {}"), []syscall.Signal{sig, sig, sig, sig}, []int{0, 0, 0, 0}, []syscall.Signal{sig, sig, sig, sig}, 0},
		{"ignored", perl(`$SIG{INT} = $SIG{TERM} = "IGNORE"`), []syscall.Signal{sig, term, sig}, []int{0, 5, 10}, []syscall.Signal{sig, term, kill}, 0},
		{"ignored, asked seldom", perl(`$SIG{INT} = $SIG{TERM} = "IGNORE"`), []syscall.Signal{sig, sig, sig, sig}, []int{0, 5, 11, 15}, []syscall.Signal{sig, sig, sig, kill}, 0},
		{"ignored, hung up", perl(`$SIG{HUP} = "IGNORE"`), []syscall.Signal{unix.SIGHUP, unix.SIGHUP, unix.SIGHUP, unix.SIGHUP}, []int{0, 0, 0, 0}, []syscall.Signal{unix.SIGHUP, unix.SIGHUP, unix.SIGHUP, unix.SIGHUP}, 0},
		{"blocked and not read", perl(block), []syscall.Signal{sig, sig, sig}, []int{0, 0, 0}, []syscall.Signal{sig, sig, kill}, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := relayTo(t, c.program...)
			var got []syscall.Signal
			now := time.Now()
			for i, s := range c.signals {
				got = append(got, r.choose(s, now.Add(time.Duration(c.seconds[i])*time.Second)))
				if err := unix.PidfdSendSignal(r.pidfd, s, nil, 0); err != nil {
					t.Fatal(err)
				}
			}
			if !slices.Equal(got, c.want) || r.release() != c.stopped {
				t.Errorf("chose %v, in place of %d, want %v, %d", got, r.stopped, c.want, c.stopped)
			}
		})
	}
}

// A program in sigwait(3) has no handler and, just then, blocks nothing.
func TestASignalThatIsWaitedForIsTaken(t *testing.T) {
	r := relayTo(t, "/usr/bin/perl", "-e", fmt.Sprintf(`use POSIX; %s; $| = 1; print "ready\n";
		my $set = pack("Q", 1 << (SIGTERM - 1)); syscall(%d, $set, 0, 0, 8); exit 7`, block, unix.SYS_RT_SIGTIMEDWAIT))
	for path, want := fmt.Sprintf("/proc/%d/syscall", r.pid), fmt.Sprint(unix.SYS_RT_SIGTIMEDWAIT, " "); ; {
		if b, err := os.ReadFile(path); err != nil {
			t.Fatal(err)
		} else if strings.HasPrefix(string(b), want) {
			break
		}
		if !(&container{pidfd: r.pidfd}).alive() {
			t.Fatal("it ended before it waited")
		}
	}
	r.handle(unix.SIGTERM)
	var ws unix.WaitStatus
	if _, err := unix.Wait4(r.pid, &ws, 0, nil); err != nil || ws.ExitStatus() != 7 {
		t.Errorf("got %v, %v, want its own status 7", ws, err)
	}
}

func TestParseStance(t *testing.T) {
	const none, int2 = "0000000000000000", "0000000000000002"
	for _, c := range []struct {
		name, pending, blocked, ignored, caught string
		want                                    stance
	}{
		{"nothing", none, none, none, none, byDefault},
		{"caught", none, none, none, int2, taken},
		{"caught and pending", int2, int2, none, int2, taken},
		{"ignored", none, none, int2, none, untaken},
		{"blocked", none, int2, none, none, taken},
		{"blocked and pending", int2, int2, none, none, untaken},
		{"malformed", "x", none, none, none, untaken},
	} {
		text := fmt.Sprintf("Name:\tx\nShdPnd:\t%s\nSigBlk:\t%s\nSigIgn:\t%s\nSigCgt:\t%s\n", c.pending, c.blocked, c.ignored, c.caught)
		if got := parseStance(text, unix.SIGINT); got != c.want {
			t.Errorf("%s: got %d, want %d", c.name, got, c.want)
		}
		if c.name == "malformed" {
			continue
		}
		if got := parseStance(text, unix.SIGTERM); got != byDefault {
			t.Errorf("%s: another signal: got %d", c.name, got)
		}
	}
	if got := parseStance("SigIgn:\t"+none+"\n", unix.SIGINT); got != untaken {
		t.Errorf("missing sets: got %d", got)
	}
}
