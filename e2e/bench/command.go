package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// maxSaid bounds what is shown of a program that failed, in bytes.
const maxSaid = 4 << 10

// A command is one program that is run for one sample.
type command struct {
	argv []string
	dir  string // below the bed's; empty is the bed's own
	env  []string
}

// A sample is what one run took.
type sample struct {
	wall, cpu time.Duration
	// memory is the peak resident set in bytes: ru_maxrss of getrusage(2), the
	// program's or that of the largest program that it waited for.
	memory int64
}

// run runs a command to its end. One that fails, fails the measurement.
//
// The kernel counts to a program's peak the memory of the process that it was
// before execve(2) (fs/exec.c, exec_mmap), which under vfork is ours. So this
// process must be smaller than what it measures, and a sample says when not.
func (b *bed) run(ctx context.Context, c command) (sample, string, error) {
	cmd := exec.CommandContext(ctx, c.argv[0], c.argv[1:]...)
	cmd.Dir, cmd.Env = filepath.Join(b.dir, c.dir), append(b.env[:len(b.env):len(b.env)], c.env...)
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = 10 * time.Second
	var out, said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &said
	start := time.Now()
	err := cmd.Run()
	wall := time.Since(start)
	if err != nil {
		text := bytes.TrimSpace(said.Bytes())
		return sample{}, "", fmt.Errorf("%s: %w\n%s", b.show(c), err, text[max(0, len(text)-maxSaid):])
	}
	usage, ok := cmd.ProcessState.SysUsage().(*syscall.Rusage)
	if !ok {
		return sample{}, "", errors.New("no resource usage of a process that has ended")
	}
	return sample{
		wall:   wall,
		cpu:    cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime(),
		memory: usage.Maxrss << 10, // kilobytes: getrusage(2)
	}, strings.TrimSpace(out.String()), nil
}

// output runs a command that is not measured.
func (b *bed) output(ctx context.Context, argv ...string) (string, error) {
	_, out, err := b.run(ctx, command{argv: argv})
	return out, err
}

// show is the command line as a person would type it.
func (b *bed) show(c command) string {
	words := append(append([]string{}, c.env...), c.argv...)
	for i, w := range words {
		w = strings.ReplaceAll(w, b.dir+string(os.PathSeparator), "")
		w = strings.ReplaceAll(w, filepath.Join(b.root, "bin", "peers")+string(os.PathSeparator), "")
		w = strings.ReplaceAll(w, filepath.Join(b.root, "bin")+string(os.PathSeparator), "")
		if b.registry != "" {
			w = strings.ReplaceAll(w, b.registry, "REGISTRY")
		}
		if w == b.runc {
			w = "runc"
		}
		if strings.ContainsAny(w, " '\"$") {
			w = "'" + w + "'"
		}
		words[i] = shortDigest(w)
	}
	return strings.Join(words, " ")
}

// shortDigest shortens the digest at the end of a reference.
func shortDigest(w string) string {
	name, digest, ok := strings.Cut(w, "@sha256:")
	if !ok || len(digest) < 12 {
		return w
	}
	return name + "@sha256:" + digest[:8] + "…"
}
