package runtime

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/immure-dev/immure/harden"
	"github.com/immure-dev/immure/harden/oci"
	"github.com/immure-dev/immure/verify"
	"github.com/immure-dev/immure/verify/observe"
)

// signed is the boundary that a configuration states.
func signed(t *testing.T, config []byte) harden.Boundary {
	t.Helper()
	reading, err := oci.Parse(config, oci.Options{})
	if err != nil {
		t.Fatal(err)
	}
	reading.Boundary.Process.Executable = "/service"
	return reading.Boundary
}

// checked runs a container that is judged by a boundary, and returns what the
// service wrote, which it does first of all, and the facets that refused it.
func checked(t *testing.T, o Options, b harden.Boundary) (string, []string) {
	t.Helper()
	o.Check = func(_ context.Context, pid int) error {
		s, err := observe.ReadStatus(pid)
		if err != nil {
			return err
		}
		if d := verify.Decide(b, s.Reading()); !d.Allowed {
			return &verify.RefusedError{Refusals: d.Refusals}
		}
		return nil
	}
	started := false
	o.Started = func(Running) { started = true }
	r, w := pipe(t)
	o.Stdout = w
	_, err := Run(t.Context(), o)
	w.Close()
	out := make([]byte, 1024)
	n, _ := r.Read(out)
	var refused *verify.RefusedError
	if err == nil {
		return string(out[:n]), nil
	}
	if !errors.As(err, &refused) {
		t.Fatalf("got %v, want a refusal", err)
	}
	if started {
		t.Error("a refused service was started")
	}
	facets := make([]string, len(refused.Refusals))
	for i, r := range refused.Refusals {
		facets[i] = r.Facet
	}
	return string(out[:n]), facets
}

// What the runtime made is read from the kernel and judged. The first case is
// what was signed, so that nothing else refuses the others.
func TestAStartedContainerWithACapabilityMoreIsKilled(t *testing.T) {
	const bounding, inheritable, ambient = "capabilities.bounding", "capabilities.inheritable", "capabilities.ambient"
	for _, c := range []struct {
		sets string // the kernel wants each within another
		want []string
	}{
		{"", nil},
		{"bounding", []string{bounding}},
		{"bounding inheritable", []string{bounding, inheritable}},
		// execve takes these from a user who is not root: the service never has them.
		{"bounding permitted effective", []string{bounding}},
		{"bounding inheritable permitted ambient", []string{ambient, bounding, "capabilities.effective", inheritable, "capabilities.permitted"}},
	} {
		t.Run("sets="+c.sets, func(t *testing.T) {
			o := sandbox(t, "wider", "env")
			b := signed(t, o.Config)
			o.Config = config(t, o.Rootfs, o.ID, func(m map[string]any) {
				process := m["process"].(map[string]any)
				process["args"] = []string{"/service", "env"}
				more := map[string]any{}
				for _, set := range strings.Fields(c.sets) {
					more[set] = []string{"CAP_NET_RAW"}
				}
				process["capabilities"] = more
			})
			out, facets := checked(t, o, b)
			if !slices.Equal(facets, c.want) || (out == "") != (c.want != nil) {
				t.Errorf("refused by %q, wrote %q, want %q", facets, out, c.want)
			}
		})
	}
}

// What only execve gives is seen: the configurations are those that were signed.
func TestWhatAFileGivesIsSeen(t *testing.T) {
	// vfs_cap_data of revision 2, effective, CAP_NET_RAW (bit 13) permitted.
	// Source: Linux include/uapi/linux/capability.h.
	netRaw := []byte{1, 0, 0, 2, 0, 0x20, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}
	for _, c := range []struct {
		name string
		give func(path string) error
		want []string
	}{
		{"nothing", func(string) error { return nil }, nil},
		{"a capability", func(p string) error { return unix.Setxattr(p, "security.capability", netRaw, 0) }, []string{"capabilities.effective", "capabilities.permitted"}},
		// Root is given what the bounding set holds.
		{"another user", func(p string) error { return os.Chmod(p, 0o755|os.ModeSetuid) }, []string{"capabilities.effective", "capabilities.permitted", "user.uid"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			o := sandbox(t, "file", "env")
			program := filepath.Join(o.Rootfs, "service")
			b, err := os.ReadFile(program)
			if err != nil {
				t.Fatal(err)
			}
			if err := errors.Join(os.Remove(program), os.WriteFile(program, b, 0o755), c.give(program)); err != nil {
				t.Fatal(err)
			}
			o.Config = config(t, o.Rootfs, o.ID, func(m map[string]any) {
				process := m["process"].(map[string]any)
				process["args"] = []string{"/service", "env"}
				process["noNewPrivileges"] = false
				process["capabilities"] = map[string]any{"bounding": []string{"CAP_NET_RAW"}}
			})
			out, facets := checked(t, o, signed(t, o.Config))
			if !slices.Equal(facets, c.want) || (out == "") != (c.want != nil) {
				t.Errorf("refused by %q, wrote %q, want %q", facets, out, c.want)
			}
		})
	}
}

func TestARuntimeThatInstallsNoFilterIsFoundOut(t *testing.T) {
	o := sandbox(t, "unfiltered", "env")
	o.Runtime = unfiltered(t)
	if out, facets := checked(t, o, signed(t, o.Config)); out != "" || !slices.Equal(facets, []string{"syscalls"}) {
		t.Errorf("refused by %q, wrote %q", facets, out)
	}
}

func TestAnotherProgramThanSignedIsKilled(t *testing.T) {
	o := sandbox(t, "other", "env")
	b := signed(t, o.Config)
	b.Process.Executable = "/other"
	if out, facets := checked(t, o, b); out != "" || !slices.Equal(facets, []string{"process.executable"}) {
		t.Errorf("refused by %q, wrote %q", facets, out)
	}
}

func TestCheckSeesTheServiceBeforeItsFirstInstruction(t *testing.T) {
	o := sandbox(t, "check", "env")
	r, w := pipe(t)
	o.Stdout = w
	refusal := errors.New("refused")
	o.Check = func(_ context.Context, pid int) error {
		s, err := observe.ReadStatus(pid)
		if err != nil || s.Seccomp != observe.SeccompFilter || !s.NoNewPrivs || s.Executable != "/service" {
			t.Errorf("got %+v, %v", s, err)
		}
		b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
		if err != nil || !strings.Contains(string(b), "(service) t ") {
			t.Errorf("not stopped: %v\n%s", err, b)
		}
		return refusal
	}
	o.Started = func(Running) { t.Error("a refused service was started") }
	if _, err := Run(t.Context(), o); !errors.Is(err, refusal) {
		t.Errorf("got %v, want the refusal", err)
	}
	w.Close()
	if n, _ := r.Read(make([]byte, 1)); n != 0 {
		t.Error("a refused service wrote something")
	}
}

// Once it runs, nobody traces it: another tracer may, and no system call is
// slower.
func TestARunningServiceIsNotTraced(t *testing.T) {
	o := sandbox(t, "untraced", "wait")
	o.Started = func(r Running) {
		b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", r.PID))
		if err != nil || !strings.Contains(string(b), "\nTracerPid:\t0\n") {
			t.Errorf("%v\n%s", err, b)
		}
		unix.Kill(r.PID, unix.SIGKILL)
	}
	if status, err := Run(t.Context(), o); status != 137 || err != nil {
		t.Errorf("got status %d, %v", status, err)
	}
}

// The runtime finds the file and calls its start done: only execve knows better.
func TestAProgramForAnotherMachineIsNoStatusOfTheService(t *testing.T) {
	o := sandbox(t, "foreign", "exit", "0")
	program := filepath.Join(o.Rootfs, "service")
	if err := errors.Join(os.Remove(program), os.WriteFile(program, []byte("\x7fELF of no machine"), 0o755)); err != nil {
		t.Fatal(err)
	}
	o.Started = func(Running) { t.Error("it was started") }
	if _, err := Run(t.Context(), o); err == nil || !strings.Contains(err.Error(), "before it executed a program") || strings.Contains(err.Error(), "\n") {
		t.Errorf("got %v", err)
	}
}

// Without the capability nothing is started, and it is named.
func TestWithoutPtraceNothingStarts(t *testing.T) {
	o := sandbox(t, "unable", "env")
	out := withoutPtrace(t, o)
	if !strings.Contains(out, "CAP_SYS_PTRACE") || strings.Contains(out, "PATH=") || strings.Contains(out, "started") {
		t.Errorf("it said:\n%s", out)
	}
}
