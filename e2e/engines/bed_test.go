//go:build e2e

package engines_test

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// patience is what no invocation may take: far more than any needs.
const patience = 2 * time.Minute

// An engine is a runtime as the tests call it.
type engine struct {
	name string
	// options go before the runtime's own arguments.
	options string
	// alone gives it a mount namespace in which it finds cgroup v2 alone.
	alone bool
}

// engines are those that immure run knows. crun is kept from cgroups: on a
// cgroup v2 beside v1 there are no controllers, and crun 1.8 needs
// CAP_SYS_RESOURCE to load its program for devices.
var engines = []engine{
	{name: "runc"},
	{name: "crun", options: "--cgroup-manager=disabled", alone: true},
}

// script makes a runtime of the engine's name that changes each bundle's
// configuration by a jq filter first; "." changes nothing.
func (e engine) script(t *testing.T, filter string) string {
	t.Helper()
	real, err := exec.LookPath(e.name)
	if err != nil {
		t.Fatalf("%v: run make setup", err)
	}
	path := filepath.Join(t.TempDir(), e.name)
	text := fmt.Sprintf(`#!/bin/sh
set -eu
bundle=
for arg; do
  [ "$bundle" != next ] || bundle=$arg
  [ "$arg" != --bundle ] || bundle=next
done
if [ -n "$bundle" ]; then
  jq '%s' "$bundle/config.json" >"$bundle/changed"
  mv "$bundle/changed" "$bundle/config.json"
fi
exec %s %s "$@"
`, filter, real, e.options)
	if err := os.WriteFile(path, []byte(text), 0o755); err != nil {
		t.Fatal(err)
	}
	return path
}

// sealed is the image under test, built once: its reference and its key.
var sealed = sync.OnceValues(func() (image [2]string, err error) {
	dir, err := os.MkdirTemp("", "immure-engines-*")
	if err != nil {
		return image, err
	}
	scratch = dir
	file, err := filepath.Abs("../hostile/testdata/service/immure.yaml")
	if err != nil {
		return image, err
	}
	for _, args := range [][]string{
		{"keygen"},
		{"build", "-f", file, "--key", "cosign.key", "-o", "image"},
	} {
		cmd, err := immure(context.Background(), args...)
		if err != nil {
			return image, err
		}
		cmd.Dir = dir
		if out, err := cmd.CombinedOutput(); err != nil {
			return image, fmt.Errorf("immure %s: %w:\n%s", args[0], err, out)
		}
	}
	return [2]string{"oci:" + filepath.Join(dir, "image"), filepath.Join(dir, "cosign.pub")}, nil
})

// scratch holds the image.
var scratch string

func TestMain(m *testing.M) {
	status := m.Run()
	if scratch != "" {
		os.RemoveAll(scratch)
	}
	os.Exit(status)
}

// program is bin/immure, static, and so another program that runs anywhere.
func program(t *testing.T) string {
	t.Helper()
	path, err := filepath.Abs(programPath)
	if err != nil {
		t.Fatal(err)
	}
	return path
}

const programPath = "../../bin/immure"

func immure(ctx context.Context, args ...string) (*exec.Cmd, error) {
	path, err := filepath.Abs(programPath)
	if err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, path, args...)
	cmd.Env = append(os.Environ(), "COSIGN_PASSWORD=")
	return cmd, nil
}

// run prepares immure run of the image under a runtime, and checks at the end
// that nothing of the container is left.
func (e engine) run(t *testing.T, runtime, name string, more ...string) *exec.Cmd {
	t.Helper()
	image, err := sealed()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	cmd, err := immure(ctx, append([]string{
		"run", image[0], "--key", image[1], "--runtime", runtime, "--name", name,
		"--store", filepath.Join(t.TempDir(), "store"),
	}, more...)...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cancel()
		nothingLeft(t, name)
	})
	var st unix.Statfs_t
	if e.alone && (unix.Statfs("/sys/fs/cgroup", &st) != nil || st.Type != unix.CGROUP2_SUPER_MAGIC) {
		cmd.Args = append([]string{"sh", "-c", `mount -t cgroup2 none /sys/fs/cgroup && exec "$0" "$@"`, cmd.Path}, cmd.Args[1:]...)
		cmd.Path = "/bin/sh"
		cmd.SysProcAttr = &syscall.SysProcAttr{Unshareflags: unix.CLONE_NEWNS}
	}
	return cmd
}

// end runs immure run to its end.
func (e engine) end(t *testing.T, runtime, name string, more ...string) (status int, stdout, stderr string) {
	t.Helper()
	cmd := e.run(t, runtime, name, more...)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); cmd.ProcessState == nil {
		t.Fatal(err)
	}
	return cmd.ProcessState.ExitCode(), out.String(), errs.String()
}

// nothingLeft wants no trace of a container.
func nothingLeft(t *testing.T, name string) {
	t.Helper()
	for _, pattern := range []string{"/run/immure/*/", "/sys/fs/cgroup/immure/", "/sys/fs/cgroup/*/immure/"} {
		if left, _ := filepath.Glob(pattern + name); len(left) > 0 {
			t.Errorf("left %v", left)
		}
	}
	all, _ := filepath.Glob("/proc/[0-9]*")
	for _, p := range all {
		// Both are empty for one that has ended. Services are told their name.
		args, _ := os.ReadFile(filepath.Join(p, "cmdline"))
		env, _ := os.ReadFile(filepath.Join(p, "environ"))
		if strings.Contains(string(args), name) || strings.Contains(string(env), name) {
			t.Errorf("left process %s: %q", filepath.Base(p), args)
		}
	}
}
