package profiles

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"errors"
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
	strict, err := Strict(asUser(p.Boundary, args...))
	if err != nil {
		t.Fatal(err)
	}
	out, status := run(t, strict, rootfs)
	if status != 0 {
		t.Fatalf("%s ended with status %d: %s", args[0], status, out)
	}
	return out
}

func asUser(b harden.Boundary, args ...string) harden.Boundary {
	b.User.UID, b.User.GID = order.Only(65532), order.Only(65532)
	b.Process.Args, b.Process.Executable = grant.LiteralArgs(args...), order.Exact(args[0])
	return b
}

// run runs a boundary and returns what was written and the exit status, which
// is runc's own where it did not start the program.
func run(t *testing.T, b harden.Boundary, rootfs string) (out string, status int) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Fatal("this test starts a container: run it as root")
	}
	for _, dir := range []string{"proc", "dev", "sys"} {
		if err := os.MkdirAll(filepath.Join(rootfs, dir), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	bundle, state := t.TempDir(), t.TempDir()
	id := fmt.Sprintf("profiles-%d-%s", os.Getpid(), filepath.Base(bundle))
	config, err := oci.RenderJSON(b, oci.Input{ID: id, Rootfs: rootfs})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(bundle, "config.json"), config, 0o600); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = exec.Command("runc", "--root", state, "delete", "--force", id).Run() })
	text, err := exec.CommandContext(t.Context(), "runc", "--root", state, "run", "--bundle", bundle, id).CombinedOutput()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatalf("runc run: %v", err)
	}
	if exit != nil {
		status = exit.ExitCode()
	}
	return string(text), status
}

// exit42 is a program for x86_64 that ends at once with status 42: an ELF
// header, one segment, and mov edi, 42; mov eax, 60; syscall.
func exit42() []byte {
	code := []byte{0xbf, 42, 0, 0, 0, 0xb8, 60, 0, 0, 0, 0x0f, 0x05}
	const base, headers = 0x400000, 64 + 56
	var b bytes.Buffer
	head := elf.Header64{
		Type: uint16(elf.ET_EXEC), Machine: uint16(elf.EM_X86_64), Version: 1, Entry: base + headers, Phoff: 64,
		Ehsize: 64, Phentsize: 56, Phnum: 1,
	}
	copy(head.Ident[:], "\x7fELF\x02\x01\x01")
	size := uint64(headers + len(code))
	segment := elf.Prog64{
		Type: uint32(elf.PT_LOAD), Flags: uint32(elf.PF_R | elf.PF_X), Vaddr: base, Paddr: base, Filesz: size, Memsz: size, Align: 4096,
	}
	for _, part := range []any{head, segment, code} {
		_ = binary.Write(&b, binary.LittleEndian, part)
	}
	return b.Bytes()
}

// The floor alone starts a service that needs nothing but to end, and what was
// measured as necessary is: without it runc does not get that far.
func TestFloorOfRunc(t *testing.T) {
	rules, _, err := Floor("runc", "1.1.5")
	if err != nil {
		t.Fatal(err)
	}
	rootfs := newRootfs(t)
	if err := os.WriteFile(filepath.Join(rootfs, "end"), exit42(), 0o755); err != nil {
		t.Fatal(err)
	}
	start := func(rules []harden.SyscallRule) (string, int) {
		strict, err := Strict(asUser(Base("job"), "/end"), rules)
		if err != nil {
			t.Fatal(err)
		}
		return run(t, strict, rootfs)
	}
	if out, status := start(rules); status != 42 {
		t.Errorf("with the floor: status %d: %s", status, out)
	}
	for _, call := range []string{"execve", "fstatfs", "getdents64", "openat"} {
		if out, status := start(without(rules, []string{call})); status == 42 {
			t.Errorf("without %s the service starts as well: %s", call, out)
		}
	}
}

// newRootfs makes a directory that a container's user gets through to, which
// t.TempDir is not.
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
