//go:build e2e

package forms_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"

	"github.com/immure-dev/immure/harden"
	"github.com/immure-dev/immure/harden/grant"
	"github.com/immure-dev/immure/harden/oci"
	"github.com/immure-dev/immure/harden/order"
	"github.com/immure-dev/immure/profiles"
)

// scratch is the directory of this run of the tests.
var scratch string

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "immure-forms-*")
	if err == nil {
		err = os.Chmod(dir, 0o755) // a container's user gets through
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
	scratch = dir
	status := m.Run()
	if err := os.RemoveAll(dir); err != nil {
		fmt.Fprintln(os.Stderr, err)
		status = 2
	}
	os.Exit(status)
}

// rootfs holds the probe and the mount points of every test.
var rootfs = sync.OnceValues(func() (string, error) {
	dir := filepath.Join(scratch, "rootfs")
	for _, sub := range []string{"proc", "dev", "sys", "tmp", "opt", "scratch"} {
		if err := os.MkdirAll(filepath.Join(dir, sub), 0o755); err != nil {
			return "", err
		}
	}
	build := exec.Command("go", "build", "-o", filepath.Join(dir, "probe"), "./testdata/probe")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build the probe: %w: %s", err, out)
	}
	return dir, nil
})

// service is a boundary that the probe lives in.
func service(t *testing.T, args ...string) harden.Boundary {
	t.Helper()
	p, err := profiles.Get("go-static")
	must(t, err)
	b := p.Boundary
	b.User.UID, b.User.GID = order.Only(65532), order.Only(65532)
	b.Process.Args, b.Process.Executable = grant.LiteralArgs(append([]string{"/probe"}, args...)...), "/probe"
	b, err = profiles.Strict(b)
	must(t, err)
	return b
}

// render is the configuration of a boundary.
func render(t *testing.T, b harden.Boundary, id string) *specs.Spec {
	t.Helper()
	root, err := rootfs()
	must(t, err)
	spec, err := oci.Render(b, oci.Input{ID: id, Rootfs: root})
	must(t, err)
	return spec
}

// run starts a container through a command that ends in runc's name, and
// returns what the probe printed.
func run(t *testing.T, id string, spec *specs.Spec, through ...string) (string, error) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Fatal("this test starts containers: run it as root")
	}
	bundle, state := t.TempDir(), t.TempDir()
	data, err := json.Marshal(spec)
	must(t, err)
	must(t, os.WriteFile(filepath.Join(bundle, "config.json"), data, 0o600))
	t.Cleanup(func() { _ = exec.Command("runc", "--root", state, "delete", "--force", id).Run() })
	line := append(through, "runc", "--root", state, "run", "--bundle", bundle, id)
	cmd := exec.CommandContext(t.Context(), line[0], line[1:]...)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("run container: %w: %s", err, errs.String())
	}
	return out.String(), nil
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
