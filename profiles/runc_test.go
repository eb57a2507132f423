package profiles

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/immure-dev/immure/harden"
	"github.com/immure-dev/immure/harden/grant"
	"github.com/immure-dev/immure/harden/oci"
	"github.com/immure-dev/immure/harden/order"
)

// runUnderRunc starts a program in the strict envelope of a profile under the
// installed runc and returns what it wrote. It needs root.
func runUnderRunc(t *testing.T, profile, rootfs string, args ...string) string {
	t.Helper()
	p, err := Get(profile)
	if err != nil {
		t.Fatal(err)
	}
	service := p.Boundary
	service.User.UID, service.User.GID = order.Only(65532), order.Only(65532)
	service.Process.Args, service.Process.Executable = grant.LiteralArgs(args...), order.Exact(args[0])
	strict, err := Strict(service)
	if err != nil {
		t.Fatal(err)
	}
	return run(t, strict, rootfs)
}

func run(t *testing.T, b harden.Boundary, rootfs string) string {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Fatal("this test starts a container: run it as root")
	}
	for _, dir := range []string{"proc", "dev", "sys"} {
		if err := os.MkdirAll(filepath.Join(rootfs, dir), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	bundle := t.TempDir()
	id := fmt.Sprintf("profiles-%d-%s", os.Getpid(), strings.ToLower(filepath.Base(bundle)))
	config, err := oci.RenderJSON(b, oci.Input{ID: id, Rootfs: rootfs})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(bundle, "config.json"), config, 0o600); err != nil {
		t.Fatal(err)
	}
	state := t.TempDir()
	t.Cleanup(func() { _ = exec.Command("runc", "--root", state, "delete", "--force", id).Run() })
	out, err := exec.CommandContext(t.Context(), "runc", "--root", state, "run", "--bundle", bundle, id).CombinedOutput()
	if err != nil {
		t.Fatalf("runc run: %v: %s", err, out)
	}
	return string(out)
}

// shared directories of t.TempDir are closed to other users; a container's user
// must get through.
func newRootfs(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "profiles-rootfs-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	return dir
}

// A Go service lives in go-static, and in job without its sockets; the kernel
// refuses it the rest.
func TestGoUnderRunc(t *testing.T) {
	rootfs := newRootfs(t)
	build := exec.Command("go", "build", "-o", filepath.Join(rootfs, "probe"), "./testdata/probe")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build the probe: %v: %s", err, out)
	}
	if out := runUnderRunc(t, "go-static", rootfs, "/probe"); out != "done\n" {
		t.Errorf("the probe says:\n%s", out)
	}
}

// A C program lives in each of the other profiles.
func TestCUnderRunc(t *testing.T) {
	rootfs := newRootfs(t)
	copyClosure(t, "/usr/bin/sort", rootfs)
	if err := os.WriteFile(filepath.Join(rootfs, "lines"), []byte("b\na\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, profile := range []string{"c-dynamic", "job", "nginx", "redis"} {
		if out := runUnderRunc(t, profile, rootfs, "/usr/bin/sort", "--parallel=4", "/lines"); out != "a\nb\n" {
			t.Errorf("%s: sort says:\n%s", profile, out)
		}
	}
}

// copyClosure copies a program and the libraries that ldd(1) lists.
func copyClosure(t *testing.T, program, rootfs string) {
	t.Helper()
	out, err := exec.Command("ldd", program).Output()
	if err != nil {
		t.Fatalf("ldd %s: %v", program, err)
	}
	files := []string{program}
	for field := range strings.FieldsSeq(string(out)) {
		if strings.HasPrefix(field, "/") {
			files = append(files, field)
		}
	}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		to := filepath.Join(rootfs, file)
		if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(to, data, 0o755); err != nil {
			t.Fatal(err)
		}
	}
}
