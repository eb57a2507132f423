package runtime

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"syscall"

	"golang.org/x/sys/unix"
)

// detachedName is argv[0] of a program that runs a service in the background.
const detachedName = "immure-detached"

// announceFD is where a detached run reports that its service has started.
const announceFD = 3

// maxAnnounce bounds that report, in bytes.
const maxAnnounce = 1 << 16

// Detach starts this program again with the arguments (without argv[0]) in a
// session of its own and waits until the [Run] that they lead to has started
// its service. That run goes on in the background; the service's output goes
// to a log, see [LogPath].
//
// When it does not come so far, it has said why on standard error, and Detach
// returns its exit status with an error. When ctx ends first, it is
// interrupted.
func Detach(ctx context.Context, args []string) (Running, int, error) {
	r, w, err := os.Pipe()
	if err != nil {
		return Running{}, noStatus, fmt.Errorf("detach: %w", err)
	}
	defer r.Close()
	cmd := &exec.Cmd{
		Path:        "/proc/self/exe", // this program, even if its file was replaced since
		Args:        append([]string{detachedName}, args...),
		Stderr:      os.Stderr,
		ExtraFiles:  []*os.File{w},
		SysProcAttr: &syscall.SysProcAttr{Setsid: true},
	}
	err = cmd.Start()
	w.Close()
	if err != nil {
		return Running{}, noStatus, fmt.Errorf("detach: %w", err)
	}
	release := context.AfterFunc(ctx, func() { _ = cmd.Process.Signal(unix.SIGTERM) })
	defer release()
	b, err := io.ReadAll(io.LimitReader(r, maxAnnounce))
	if err != nil {
		return Running{}, noStatus, fmt.Errorf("detach: %w", err)
	}
	if len(b) == 0 {
		var exit *exec.ExitError
		if err := cmd.Wait(); errors.As(err, &exit) {
			return Running{}, exit.ExitCode(), errors.New("detach: the service did not start")
		}
		return Running{}, noStatus, errors.New("detach: the program ended without starting a service")
	}
	var running Running
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	if err := d.Decode(&running); err != nil {
		return Running{}, noStatus, fmt.Errorf("detach: %w", err)
	}
	return running, 0, cmd.Process.Release()
}

// detached reports whether this process is to run its service in the
// background.
func detached() bool { return len(os.Args) > 0 && os.Args[0] == detachedName }

// announce tells the process that called Detach, and lets go of its terminal
// and pipes.
func announce(r Running) error {
	if !detached() {
		return nil
	}
	b, err := json.Marshal(r)
	if err != nil {
		return fmt.Errorf("report start: %w", err)
	}
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		return fmt.Errorf("report start: %w", err)
	}
	defer null.Close()
	for fd := range 3 {
		if err := unix.Dup3(int(null.Fd()), fd, 0); err != nil {
			return fmt.Errorf("report start: %w", err)
		}
	}
	to := os.NewFile(announceFD, "announce")
	_, err = to.Write(b)
	if err := errors.Join(err, to.Close()); err != nil {
		return fmt.Errorf("report start: %w", err)
	}
	return nil
}
