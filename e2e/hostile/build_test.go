//go:build e2e

package hostile_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/immure-dev/immure/internal/badregistry"
	"github.com/immure-dev/immure/internal/testregistry"
)

// buildInto prepares a build of the service that runs.
func buildInto(tb testing.TB, ctx context.Context, to ...string) *exec.Cmd {
	tb.Helper()
	args := append([]string{"build", "-f", "testdata/service/immure.yaml", "--key", filepath.Join(scratch, "trusted.key")}, to...)
	return command(tb, ctx, args...)
}

// A build that is interrupted or killed at any moment leaves no layout that
// verifies, unless it is whole.
func TestInterruptedBuild(t *testing.T) {
	f := service(t)
	began := time.Now()
	dir := filepath.Join(t.TempDir(), "whole")
	must(t, buildInto(t, t.Context(), "-o", dir).Run())
	takes := time.Since(began)
	whole := strings.TrimPrefix(f.name(t, "oci:"+dir), "oci:"+dir)
	for _, signal := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM, syscall.SIGKILL} {
		for i := range 4 {
			t.Run(fmt.Sprintf("%v/%d", signal, i), func(t *testing.T) {
				parent, temp := t.TempDir(), t.TempDir()
				dir := filepath.Join(parent, "image")
				cmd := buildInto(t, t.Context(), "-o", dir)
				cmd.Env = append(cmd.Env, "TMPDIR="+temp)
				must(t, cmd.Start())
				timer := time.AfterFunc(time.Duration(rand.Int64N(int64(takes))), func() { _ = cmd.Process.Signal(signal) })
				err := cmd.Wait()
				timer.Stop()
				if _, there := os.Stat(dir); err == nil && there != nil {
					t.Error("the build ended well and left no image")
				}
				entries, err := os.ReadDir(parent)
				must(t, err)
				for _, e := range entries {
					if signal != syscall.SIGKILL && e.Name() != "image" {
						t.Errorf("left %s", e.Name())
					}
					ref := "oci:" + filepath.Join(parent, e.Name())
					if r := f.verify(t, ref); r.status == 0 && f.name(t, ref) != ref+whole {
						t.Errorf("left what verifies and is not whole: %s", r.stdout)
					}
				}
				if left, err := os.ReadDir(temp); signal != syscall.SIGKILL && (err != nil || len(left) > 0) {
					t.Errorf("left %v in the temporary directory (%v)", left, err)
				}
			})
		}
	}
}

// name is the reference with the digest that verifying an image prints.
func (f *fixture) name(tb testing.TB, ref string) string {
	tb.Helper()
	r := f.verify(tb, ref)
	r.allowed(tb)
	name, _, _ := strings.Cut(strings.TrimPrefix(r.stdout, "verified: "), ",")
	return name
}

// A push is killed or interrupted at each of its requests in turn: the tag
// names nothing before everything is there, the statement included.
func TestInterruptedPush(t *testing.T) {
	f := service(t)
	// Compiling is not what is interrupted here: the program is there.
	dir := t.TempDir()
	must(t, os.WriteFile(filepath.Join(dir, "service"), bytesOf(t, flatten(t, f.img), "/usr/bin/service"), 0o755))
	text, err := os.ReadFile("testdata/service/immure.yaml")
	must(t, err)
	file := filepath.Join(dir, "immure.yaml")
	must(t, os.WriteFile(file, []byte(strings.Replace(string(text), "go: .", "binary: ./service", 1)), 0o600))
	for _, signal := range []syscall.Signal{syscall.SIGINT, syscall.SIGKILL} {
		t.Run(signal.String(), func(t *testing.T) {
			t.Parallel()
			finished := false
			for n := int64(1); !finished; n++ {
				if n > 100 {
					t.Fatal("a push of more than a hundred requests")
				}
				finished = interruptPush(t, f, file, signal, n)
			}
		})
	}
}

// interruptPush signals a push at its n-th request, and reports whether it had
// ended before.
func interruptPush(t *testing.T, f *fixture, file string, signal syscall.Signal, n int64) (finished bool) {
	t.Helper()
	registry := testregistry.Handler()
	var seen atomic.Int64
	pushing, ended := make(chan *os.Process, 1), make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if seen.Add(1) == n {
			p := <-pushing
			_ = p.Signal(signal) // it runs: it waits for this answer
			<-ended
			return
		}
		registry.ServeHTTP(w, r)
	}))
	defer server.Close()
	defer server.CloseClientConnections()
	ref := strings.TrimPrefix(server.URL, "http://") + "/hostile:1"
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	cmd := command(t, ctx, "build", "-f", file, "--key", filepath.Join(scratch, "trusted.key"), "--push", ref)
	must(t, cmd.Start())
	pushing <- cmd.Process
	err := cmd.Wait()
	close(ended)
	must(t, ctx.Err())
	if finished = seen.Load() < n; finished {
		must(t, err)
		f.verify(t, ref).allowed(t)
		return true
	}
	if status := cmd.ProcessState.ExitCode(); signal == syscall.SIGINT && status != 2 {
		t.Errorf("interrupted at request %d: status %d, want 2", n, status)
	}
	f.verify(t, ref).refused(t, 2)
	return false
}

// A registry that says nothing keeps nobody for ever: an interrupt ends it.
func TestInterruptedVerify(t *testing.T) {
	f := service(t)
	for _, part := range []string{"/v2/", "/manifests/", "/referrers/", "/blobs/"} {
		t.Run(strings.Trim(part, "/"), func(t *testing.T) {
			t.Parallel()
			r, addr := badregistry.Start(t)
			ref := push(t, addr+"/hostile:latest", f.img)
			asked := make(chan struct{}, 16)
			silent := badregistry.Silent()
			r.Lie(part, func(w http.ResponseWriter, req *http.Request) {
				select {
				case asked <- struct{}{}:
				default:
				}
				silent(w, req)
			})
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			defer cancel()
			cmd := command(t, ctx, "verify", ref, "--key", f.public)
			must(t, cmd.Start())
			<-asked
			must(t, cmd.Process.Signal(syscall.SIGINT))
			_ = cmd.Wait() // its status says what there is to say
			if status := cmd.ProcessState.ExitCode(); status != 2 {
				t.Errorf("got status %d, want 2", status)
			}
		})
	}
}

// small mounts a file system of a size.
func small(tb testing.TB, size string) string {
	tb.Helper()
	dir := tb.TempDir()
	must(tb, unix.Mount("tmpfs", dir, "tmpfs", 0, "size="+size))
	tb.Cleanup(func() { must(tb, unix.Unmount(dir, unix.MNT_DETACH)) })
	return dir
}

// The disk is full at any point of a build or a run: that is said, and nothing
// is left that takes its room or is taken for an image.
func TestFullDisk(t *testing.T) {
	f := service(t)
	empty := func(t *testing.T, dir string) {
		t.Helper()
		left, err := os.ReadDir(dir)
		must(t, err)
		for _, e := range left {
			t.Errorf("left %s", e.Name())
		}
	}
	for _, size := range []string{"4k", "64k", "512k", "1m"} {
		t.Run("build into "+size, func(t *testing.T) {
			disk := small(t, size)
			r := immure(t, "build", "-f", "testdata/service/immure.yaml", "--key", filepath.Join(scratch, "trusted.key"), "-o", filepath.Join(disk, "image"))
			r.refused(t, 2, "no space left")
			empty(t, disk)
		})
		t.Run("build by way of "+size, func(t *testing.T) {
			disk, dir := small(t, size), filepath.Join(t.TempDir(), "image")
			r := immureIn(t, []string{"TMPDIR=" + disk}, "", "build", "-f", "testdata/service/immure.yaml", "--key", filepath.Join(scratch, "trusted.key"), "-o", dir)
			if r.status != 2 {
				t.Errorf("got status %d, want 2:\n%s", r.status, r.stderr)
			}
			absent(t, dir)
			empty(t, disk)
		})
		t.Run("run from "+size, func(t *testing.T) {
			disk := small(t, size)
			store := filepath.Join(disk, "store")
			r := immure(t, "run", f.ref(), "--key", f.public, "--store", store, "-e", "MODE=exit 0")
			r.refused(t, 2, "no space left")
			for _, dir := range []string{"trees", "making"} {
				if _, err := os.Stat(filepath.Join(store, dir)); err == nil {
					empty(t, filepath.Join(store, dir))
				}
			}
		})
	}
	t.Run("a layout that is there stays", func(t *testing.T) {
		disk := small(t, "2m")
		dir := filepath.Join(disk, "image")
		build := func() result {
			return immure(t, "build", "-f", "testdata/service/immure.yaml", "--key", filepath.Join(scratch, "trusted.key"), "-o", dir)
		}
		build().allowed(t)
		f.verify(t, "oci:"+dir).allowed(t)
		build().refused(t, 2, "no space left")
		f.verify(t, "oci:"+dir).allowed(t)
		left, err := os.ReadDir(disk)
		must(t, err)
		if len(left) != 1 {
			t.Errorf("left %v", left)
		}
	})
}
