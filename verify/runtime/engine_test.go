package runtime

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// engineVariable names the runtime that the tests of this process run under;
// empty is runc.
const engineVariable = "RUNTIME_TEST_ENGINE"

// testEngine is the path of a shim before that runtime, or empty.
var testEngine string

func engineName() string {
	if testEngine == "" {
		return "runc"
	}
	return filepath.Base(testEngine)
}

// chooseEngine prepares a process whose tests run under another runtime. It is
// in a mount namespace of its own, in which crun finds cgroup v2 alone,
// whatever this host has.
func chooseEngine() error {
	name := os.Getenv(engineVariable)
	if name == "" {
		return nil
	}
	real, err := exec.LookPath(name)
	if err != nil {
		return fmt.Errorf("%w: run make setup", err)
	}
	if !unifiedCgroups() {
		if err := unix.Mount("none", cgroupRoot, "cgroup2", 0, ""); err != nil {
			return fmt.Errorf("mount cgroup2: %w", err)
		}
	}
	dir, err := os.MkdirTemp("", "engine-")
	if err != nil {
		return err
	}
	// Without cgroups: on this cgroup2 there may be no controllers, and crun 1.8
	// needs CAP_SYS_RESOURCE to load its program for devices.
	testEngine = filepath.Join(dir, name)
	return os.WriteFile(testEngine, []byte("#!/bin/sh\nexec "+real+" --cgroup-manager=disabled \"$@\"\n"), 0o755)
}

// Every test that is not about runc's own ways passes under crun too.
func TestTheSameUnderCrun(t *testing.T) {
	skip := []string{
		"TestTheSameUnderCrun",
		// These watch runc's own files and processes, or the cgroup.
		"TestARunKilledAtAnyMomentLeavesNothing", "TestARunKilledWhileItsRuntimeMountsLeavesNothing",
		"TestARunKilledDuringCreateLeavesNothing", "TestARunInterruptedDuringCreateLeavesNothing",
		"TestANameIsUsedOnce", "TestCleanStaleMendsWhatAKilledKeeperLeft",
	}
	choice, least := "-test.skip=^("+strings.Join(skip, "|")+")$", 30
	if raced() {
		// There a process takes a second to end, and none of ours differs by runtime.
		choice, least = "-test.run=^(TestARuntimeThatInstallsNoFilterIsFoundOut|TestRunForwardsSignals)$", 2
	}
	cmd := &exec.Cmd{
		Path:        "/proc/self/exe",
		Args:        []string{os.Args[0], "-test.v", choice},
		Env:         append(os.Environ(), engineVariable+"=crun"),
		SysProcAttr: &syscall.SysProcAttr{Unshareflags: unix.CLONE_NEWNS},
	}
	out, err := cmd.CombinedOutput()
	if n := strings.Count(string(out), "\n--- PASS: "); err != nil || n < least || strings.Contains(string(out), "--- SKIP") {
		t.Errorf("%d tests passed, want %d, %v:\n%s", n, least, err, out)
	}
}

// raced reports whether this program was built with the race detector.
func raced() bool {
	info, ok := debug.ReadBuildInfo()
	return ok && slices.Contains(info.Settings, debug.BuildSetting{Key: "-race", Value: "true"})
}

// shimPrefix is what the name of a runtime begins with that is this program and
// changes the bundle before it calls the real one.
const shimPrefix = "unfiltered-"

func isShim() bool { return strings.HasPrefix(filepath.Base(os.Args[0]), shimPrefix) }

// unfiltered makes a runtime that installs no system call filter.
func unfiltered(t *testing.T) string {
	t.Helper()
	real := testEngine
	if real == "" {
		var err error
		if real, err = exec.LookPath("runc"); err != nil {
			t.Fatal(err)
		}
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), shimPrefix+filepath.Base(real))
	for link, to := range map[string]string{path: self, path + "-real": real} {
		if err := os.Symlink(to, link); err != nil {
			t.Fatal(err)
		}
	}
	return path
}

// shim takes the filter out of the configuration and hands the call on.
func shim() int {
	if i := slices.Index(os.Args, "--bundle"); i > 0 {
		path := filepath.Join(os.Args[i+1], configFile)
		var c map[string]any
		b, err := os.ReadFile(path)
		if err == nil {
			err = json.Unmarshal(b, &c)
		}
		if err == nil {
			delete(c["linux"].(map[string]any), "seccomp")
			b, err = json.Marshal(c)
		}
		if err == nil {
			err = os.WriteFile(path, b, 0o600)
		}
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
	}
	real, err := os.Readlink(os.Args[0] + "-real")
	if err == nil {
		err = unix.Exec(real, append([]string{real}, os.Args[1:]...), os.Environ())
	}
	fmt.Fprintln(os.Stderr, err)
	return 1
}
