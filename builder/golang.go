package builder

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

	"github.com/immure-dev/immure/builder/keep"
	"github.com/immure-dev/immure/builder/servicefile"
)

// fromGo compiles a main package with the Go toolchain of the machine, whose
// version and modules are part of the input. Everything else that could change
// the program's bytes is fixed here.
func (s *source) fromGo(ctx context.Context, f *servicefile.File, o Options) error {
	s.Overlay = keep.NewOverlay(nil)
	dir, err := os.MkdirTemp("", "immure-go-*")
	if err != nil {
		return err
	}
	// The program is kept open, so the directory can go at once.
	defer os.RemoveAll(dir)
	out := filepath.Join(dir, "program")
	if err := compile(ctx, o.host(f.From.Go), out); err != nil {
		return fmt.Errorf("%s: from.go: %w", f.At("from.go"), err)
	}
	n, err := s.hostFile(out, f.Run.Args[0])
	if err != nil {
		return fmt.Errorf("%s: from.go: %w", f.At("from.go"), err)
	}
	n.Mode = 0o555
	s.program = "the program: from.go"
	return s.Put(n)
}

// maxOutput bounds what is shown of a compiler's output.
const maxOutput = 16 << 10

// compile builds the package in the directory pkg into the file out. The
// package is named by the directory it is in, so that its own go.mod counts.
func compile(ctx context.Context, pkg, out string) error {
	if fi, err := os.Stat(pkg); err != nil {
		return err
	} else if !fi.IsDir() {
		return fmt.Errorf("%s is not a directory with a main package", pkg)
	}
	cmd := exec.CommandContext(ctx, "go", "build", "-trimpath", "-buildvcs=false", "-buildmode=exe",
		"-ldflags=-s -w -buildid=", "-o", out, ".")
	cmd.Dir = pkg
	// What the toolchain leaves when it is killed goes with the directory.
	cmd.Env = append(goEnv(os.Environ()), "GOTMPDIR="+filepath.Dir(out))
	// A group of its own, so that the compilers it started end with it.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = 10 * time.Second
	var output bytes.Buffer
	cmd.Stdout, cmd.Stderr = &output, &output
	err := cmd.Run()
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if errors.Is(err, exec.ErrNotFound) {
		return fmt.Errorf("go build: %w: install Go from https://go.dev/dl", err)
	}
	if err != nil {
		text := output.Bytes()
		if len(text) > maxOutput {
			text = append(text[:maxOutput:maxOutput], "\n…"...)
		}
		return fmt.Errorf("go build: %w\n%s", err, bytes.TrimSpace(text))
	}
	return nil
}

// fixed are variables that change the bytes of a program or where it is for.
// GOFLAGS is not empty, because then the one of `go env -w` would count.
var fixed = []string{
	"CGO_ENABLED=0", "GOOS=linux", "GOARCH=amd64", "GOAMD64=v1", "GOEXPERIMENT=", "GOFIPS140=off", "GO111MODULE=on",
	"GOFLAGS=-mod=readonly",
}

// goEnv is the environment of the caller with what must not differ fixed, and
// of GOFLAGS only what says where modules come from.
func goEnv(environ []string) []string {
	var env []string
	flags := ""
	for _, v := range environ {
		name, value, _ := strings.Cut(v, "=")
		if name == "GOFLAGS" {
			for _, f := range strings.Fields(value) {
				if strings.HasPrefix(f, "-mod=") || strings.HasPrefix(f, "-modfile=") || f == "-modcacherw" {
					flags += " " + f
				}
			}
			continue
		}
		if !isFixed(name) {
			env = append(env, v)
		}
	}
	env = append(env, fixed...)
	if flags != "" {
		env[len(env)-1] += flags
	}
	return env
}

func isFixed(name string) bool {
	for _, f := range fixed {
		if n, _, _ := strings.Cut(f, "="); n == name {
			return true
		}
	}
	return false
}
