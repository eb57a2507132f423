package runtime

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// helperName is argv[0] of a test program that is to run one container, so
// that it can be killed.
const helperName = "runtime-test-run"

func TestMain(m *testing.M) {
	if Child() {
		return
	}
	if os.Args[0] == helperName || detached() {
		os.Exit(helperRun(os.Args[1]))
	}
	if isShim() {
		os.Exit(shim())
	}
	if err := chooseEngine(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
	status := m.Run()
	for _, dir := range []string{serviceDir, filepath.Dir(testEngine)} {
		if dir != "" && dir != "." {
			os.RemoveAll(dir)
		}
	}
	os.Exit(status)
}

// helperOptions travel to the helper as JSON in its first argument.
type helperOptions struct {
	StateDir, ID, Rootfs, Config, Runtime string
	Hold                                  bool // wait before the service's first instruction for the end of standard input
}

// helperRun reports its steps on standard output, a line each.
func helperRun(arg string) int {
	var h helperOptions
	if err := json.Unmarshal([]byte(arg), &h); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 99
	}
	fmt.Println("running")
	status, err := Run(context.Background(), Options{
		StateDir: h.StateDir, ID: h.ID, Rootfs: h.Rootfs, Config: []byte(h.Config), Runtime: h.Runtime,
		Stdout: os.Stdout,
		Check: func(context.Context, int) error {
			if h.Hold {
				fmt.Println("judged")
				bufio.NewReader(os.Stdin).ReadByte()
			}
			return nil
		},
		Started: func(r Running) { fmt.Println("started") },
	})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 98
	}
	return status
}

var (
	serviceOnce sync.Once
	serviceDir  string
	serviceErr  error
)

// service builds the static test service once.
func service(t *testing.T) string {
	t.Helper()
	serviceOnce.Do(func() {
		if serviceDir, serviceErr = os.MkdirTemp("", "service-"); serviceErr != nil {
			return
		}
		cmd := exec.Command("go", "build", "-o", filepath.Join(serviceDir, "service"), "./testdata/service")
		cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
		if out, err := cmd.CombinedOutput(); err != nil {
			serviceErr = fmt.Errorf("%w: %s", err, out)
		}
	})
	if serviceErr != nil {
		t.Fatal(serviceErr)
	}
	return filepath.Join(serviceDir, "service")
}

// sandbox makes the options of one container of the test service, and checks
// at the end that nothing is left of it.
func sandbox(t *testing.T, id string, args ...string) Options {
	t.Helper()
	if err := Available(testEngine); err != nil {
		t.Fatalf("these tests run containers: %v", err)
	}
	rootfs := filepath.Join(t.TempDir(), "rootfs")
	if err := os.MkdirAll(filepath.Join(rootfs, "proc"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(rootfs, "dev"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Link(service(t), filepath.Join(rootfs, "service")); err != nil {
		t.Fatal(err)
	}
	o := Options{
		ID: id, Rootfs: rootfs, StateDir: filepath.Join(t.TempDir(), "state"), Runtime: testEngine,
		Config: config(t, rootfs, id, func(c map[string]any) {
			c["process"].(map[string]any)["args"] = append([]string{"/service"}, args...)
		}),
		Stderr: os.Stderr,
	}
	t.Cleanup(func() {
		if t.Failed() {
			CleanStale(o.StateDir)
		}
		wantNothingLeft(t, o)
	})
	return o
}

// hostProgram has the container run a program of the host instead of the test
// service.
func hostProgram(t *testing.T, o *Options, args ...string) {
	t.Helper()
	for dir, to := range map[string]string{"bin": "usr/bin", "lib": "usr/lib", "lib64": "usr/lib64"} {
		if err := os.Symlink(to, filepath.Join(o.Rootfs, dir)); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Mkdir(filepath.Join(o.Rootfs, "usr"), 0o755); err != nil {
		t.Fatal(err)
	}
	o.Config = config(t, o.Rootfs, o.ID, func(c map[string]any) {
		c["process"].(map[string]any)["args"] = args
		c["mounts"] = append(c["mounts"].([]any), map[string]any{
			"destination": "/usr", "type": "bind", "source": "/usr", "options": []string{"rbind", "ro", "nosuid", "nodev"},
		})
	})
}

// cgroupParent keeps these tests' cgroups apart from those of real containers.
func cgroupParent() string { return fmt.Sprintf("/immure-test-%d", os.Getpid()) }

func config(t *testing.T, rootfs, id string, edit func(map[string]any)) []byte {
	t.Helper()
	b, err := os.ReadFile("testdata/config.json")
	if err != nil {
		t.Fatal(err)
	}
	text := strings.NewReplacer("ROOTFS", rootfs, "CGROUP", cgroupParent()+"/"+id).Replace(string(b))
	var c map[string]any
	if err := json.Unmarshal([]byte(text), &c); err != nil {
		t.Fatal(err)
	}
	if edit != nil {
		edit(c)
	}
	if b, err = json.Marshal(c); err != nil {
		t.Fatal(err)
	}
	return b
}

// wantNothingLeft checks that no file, process, mount or cgroup is left.
func wantNothingLeft(t *testing.T, o Options) {
	t.Helper()
	for _, dir := range []string{bundlesDir, engineDir} {
		entries, _ := os.ReadDir(filepath.Join(o.StateDir, dir))
		for _, e := range entries {
			t.Errorf("left behind: %s", filepath.Join(o.StateDir, dir, e.Name()))
		}
	}
	mounts, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(mounts), o.StateDir) || strings.Contains(string(mounts), o.Rootfs) {
		t.Errorf("left behind: a mount:\n%s", mounts)
	}
	if dirs, err := cgroupDirs(cgroupParent() + "/" + o.ID); err != nil || len(dirs) > 0 {
		t.Errorf("left behind: cgroups %q, %v", dirs, err)
	}
	for pid, why := range processesOf(o) {
		t.Errorf("left behind: process %s, %s", pid, why)
	}
}

// processesOf finds the processes in the container's cgroup, those that run the
// test service, and those whose arguments name the state directory.
func processesOf(o Options) map[string]string {
	found := make(map[string]string)
	procs, _ := filepath.Glob("/proc/[0-9]*")
	for _, p := range procs {
		exe, err := os.Stat(p + "/exe")
		if running, err2 := os.Stat(filepath.Join(o.Rootfs, "service")); err == nil && err2 == nil && os.SameFile(exe, running) {
			found[filepath.Base(p)] = "runs the service"
		}
		if in, _ := os.ReadFile(p + "/cgroup"); strings.Contains(string(in), cgroupParent()+"/"+o.ID+"\n") {
			found[filepath.Base(p)] = "in the cgroup"
		}
		if args, _ := os.ReadFile(p + "/cmdline"); strings.Contains(string(args), o.StateDir) {
			found[filepath.Base(p)] = strings.ReplaceAll(string(args), "\x00", " ")
		}
	}
	return found
}
