package main

import (
	"bytes"
	"context"
	"encoding/json"
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

// run runs a command to its end, in a process that measures it. One that fails,
// fails the measurement.
func (b *bed) run(ctx context.Context, c command) (s sample, stdout string, err error) {
	self, err := os.Executable()
	if err != nil {
		return s, "", fmt.Errorf("measure: %w", err)
	}
	read, write, err := os.Pipe()
	if err != nil {
		return s, "", fmt.Errorf("measure: %w", err)
	}
	defer read.Close()
	cmd := exec.CommandContext(ctx, self, append([]string{measuredArg}, c.argv...)...)
	cmd.Dir, cmd.Env = filepath.Join(b.dir, c.dir), append(b.env[:len(b.env):len(b.env)], c.env...)
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = 10 * time.Second
	cmd.ExtraFiles = []*os.File{write} // reportFD
	var out, said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &said
	err = cmd.Run()
	write.Close()
	if err != nil {
		text := bytes.TrimSpace(said.Bytes())
		return s, "", fmt.Errorf("%s: %w\n%s", b.show(c), err, text[max(0, len(text)-maxSaid):])
	}
	if err := json.NewDecoder(read).Decode(&s); err != nil {
		return s, "", fmt.Errorf("%s: read what it took: %w", b.show(c), err)
	}
	return s, strings.TrimSpace(out.String()), nil
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
