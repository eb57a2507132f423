package runtime

import (
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/immure-dev/immure/internal/reflect"
)

// keeperName is argv[0] of the keeper.
const keeperName = "immure-keeper"

const (
	keeperLifeFD = 3 // a pipe: one byte when all is cleaned, end of file when the run died
	// The bundle's lock follows as descriptor 4; holding it is all its use.
)

// parentWait bounds the wait for a process whose descriptors are closed
// already to be gone entirely, and its runtime with it.
const parentWait = 10 * time.Second

// A keeper is the process that cleans up when this one is killed.
type keeper struct {
	cmd  *exec.Cmd
	life *os.File
}

// startKeeper starts the keeper of a bundle whose lock the caller holds.
func startKeeper(state, id string, lock *os.File) (*keeper, error) {
	r, w, err := os.Pipe()
	if err != nil {
		return nil, fmt.Errorf("start keeper: %w", err)
	}
	defer r.Close()
	cmd := &exec.Cmd{
		Path:        "/proc/self/exe", // this program, even if its file was replaced since
		Args:        []string{keeperName, state, id, strconv.Itoa(os.Getpid())},
		Dir:         "/",
		Env:         []string{},
		ExtraFiles:  []*os.File{r, lock},
		SysProcAttr: &syscall.SysProcAttr{Setsid: true},
	}
	if !detached() { // else it would hold the terminal that is to be let go
		cmd.Stderr = os.Stderr
	}
	if err := cmd.Start(); err != nil {
		w.Close()
		return nil, fmt.Errorf("start keeper: %w", err)
	}
	return &keeper{cmd: cmd, life: w}, nil
}

// dismiss ends the keeper, whose work is done.
func (k *keeper) dismiss() {
	_, _ = k.life.Write([]byte{1}) // fails only when the keeper is gone
	k.life.Close()
	_ = k.cmd.Wait()
}

// Child runs this process's part when [Run] started it as a part of a run, and
// then reports true: main returns at once. It is to be called before anything
// else is read, opened or started.
func Child() bool {
	if len(os.Args) == 4 && os.Args[0] == keeperName {
		if err := keep(os.Args[1], os.Args[2], os.Args[3]); err != nil {
			fmt.Fprintln(os.Stderr, "immure: "+err.Error())
			os.Exit(2)
		}
		return true
	}
	return reflect.Child()
}

func keep(state, id, parentPID string) error {
	sealDescriptors()
	signal.Ignore(syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGQUIT, syscall.SIGUSR1, syscall.SIGUSR2)
	parent, err := strconv.Atoi(parentPID)
	if err != nil || !isID(id) || !filepath.IsAbs(state) {
		return fmt.Errorf("keep container %q: not started by a run", id)
	}
	pidfd, err := unix.PidfdOpen(parent, 0)
	if err != nil || os.Getppid() != parent {
		pidfd = -1 // it is dead already
	}
	var b [1]byte
	if n, _ := os.NewFile(keeperLifeFD, "life").Read(b[:]); n == 1 {
		return nil
	}
	if pidfd >= 0 {
		// Until its last thread is gone, the runtime that it started may live too.
		if err := waitDead(pidfd, parentWait); err != nil {
			return fmt.Errorf("keep container %q: %w", id, err)
		}
	}
	return clean(state, id, false)
}

// sealDescriptors keeps descriptors that this process inherited from going on
// to what it starts: none but those passed on purpose reach a runtime.
func sealDescriptors() {
	// Linux before 5.11 lacks the flag; runtimes close what they inherit, too.
	_ = unix.CloseRange(3, ^uint(0), unix.CLOSE_RANGE_CLOEXEC)
}
