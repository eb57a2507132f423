package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"syscall"
	"time"
)

// measuredArg makes this program start another one and report what it took.
const measuredArg = "measured"

// reportFD is where the report goes.
const reportFD = 3

// A sample is what one run took.
type sample struct {
	Wall, CPU time.Duration
	// Memory is the peak resident set in bytes: ru_maxrss of getrusage(2), the
	// program's or that of the largest program that it waited for.
	Memory int64
	// Floor is the least Memory that could have been seen, in bytes.
	Floor int64
}

// measured starts a program, waits for it and writes a sample as JSON.
//
// The kernel counts to a program's peak the memory of the process that it was
// before execve(2) (fs/exec.c, exec_mmap), which under vfork(2) is the whole of
// its parent. That parent is therefore this small process and not the one that
// holds results, and it reports its own size as the floor.
func measured(argv []string) error {
	runtime.LockOSThread() // Pdeathsig is of the thread that started it
	cmd := exec.Command(argv[0], argv[1:]...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGTERM}
	syscall.CloseOnExec(reportFD)
	start := time.Now()
	err := cmd.Run()
	wall := time.Since(start)
	if err != nil {
		return err
	}
	usage, ok := cmd.ProcessState.SysUsage().(*syscall.Rusage)
	if !ok {
		return errors.New("no resource usage of a process that has ended")
	}
	floor, err := ownPeak()
	if err != nil {
		return err
	}
	return json.NewEncoder(os.NewFile(reportFD, "report")).Encode(sample{
		Wall: wall, CPU: cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime(),
		Memory: usage.Maxrss << 10, Floor: floor, // kilobytes: getrusage(2)
	})
}

// ownPeak is the peak resident set of this program in bytes, of its own life
// only: VmHWM of proc_pid_status(5).
func ownPeak() (int64, error) {
	data, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0, err
	}
	var kilobytes int64
	_, rest, _ := strings.Cut(string(data), "\nVmHWM:")
	if _, err := fmt.Sscan(rest, &kilobytes); err != nil {
		return 0, fmt.Errorf("read VmHWM: %w", err)
	}
	return kilobytes << 10, nil
}
