package runtime

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// refused checks that Run refuses before it changes anything.
func refused(t *testing.T, o Options, want string) {
	t.Helper()
	_, err := Run(t.Context(), o)
	if err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("got %v, want %q", err, want)
	}
	if _, err := os.Lstat(o.StateDir); !os.IsNotExist(err) {
		t.Errorf("the state directory was made: %v", err)
	}
}

func TestRunRefusesBeforeItChangesAnything(t *testing.T) {
	for _, c := range []struct {
		name string
		edit func(o *Options)
		want string
	}{
		{"no name", func(o *Options) { o.ID = "" }, "name container"},
		{"a path", func(o *Options) { o.ID = "../x" }, "name container"},
		{"a hidden name", func(o *Options) { o.ID = ".x" }, "name container"},
		{"a long name", func(o *Options) { o.ID = strings.Repeat("x", 64) }, "name container"},
		{"a newline", func(o *Options) { o.ID = "x\n" }, "name container"},
		{"no config", func(o *Options) { o.Config = nil }, "config.json"},
		{"a huge config", func(o *Options) { o.Config = make([]byte, maxConfig+1) }, "limit"},
		{"another rootfs", func(o *Options) { o.Rootfs = "/usr" }, "is not the rootfs"},
		{"no rootfs", func(o *Options) { os.RemoveAll(o.Rootfs) }, "open rootfs"},
		{"another cgroup", func(o *Options) { replace(o, cgroupParent()+"/"+o.ID, "/other/x") }, "cgroupsPath"},
		{"the root cgroup", func(o *Options) { replace(o, cgroupParent()+"/"+o.ID, "/"+o.ID) }, "cgroupsPath"},
		{"a cgroup with dots", func(o *Options) { replace(o, cgroupParent()+"/", "/x/../") }, "cgroupsPath"},
		{"the host's pids", func(o *Options) { replace(o, `{"type":"pid"},`, "") }, "pid namespace"},
		{"joined pids", func(o *Options) { replace(o, `{"type":"pid"}`, `{"type":"pid","path":"/proc/1/ns/pid"}`) }, "pid namespace"},
		{"no such runtime", func(o *Options) { o.Runtime = "/absent/runc" }, "apt-get install runc"},
	} {
		t.Run(c.name, func(t *testing.T) {
			o := sandbox(t, "refused", "wait")
			c.edit(&o)
			refused(t, o, c.want)
		})
	}
}

func replace(o *Options, old, new string) {
	changed := strings.Replace(string(o.Config), old, new, 1)
	if changed == string(o.Config) {
		panic(fmt.Sprintf("%q is not in %s", old, o.Config))
	}
	o.Config = []byte(changed)
}

func TestRunNeedsRoot(t *testing.T) {
	o := sandbox(t, "unprivileged", "wait")
	arg, err := json.Marshal(helperOptions{StateDir: o.StateDir, ID: o.ID, Rootfs: o.Rootfs, Config: string(o.Config)})
	if err != nil {
		t.Fatal(err)
	}
	cmd := &exec.Cmd{
		Path: "/proc/self/exe", Args: []string{helperName, string(arg)},
		SysProcAttr: &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65532, Gid: 65532}},
	}
	out, err := cmd.CombinedOutput()
	if err == nil || !strings.Contains(string(out), "not root; start again with sudo") {
		t.Errorf("got %v: %s", err, out)
	}
	if _, err := os.Lstat(o.StateDir); !os.IsNotExist(err) {
		t.Errorf("the state directory was made: %v", err)
	}
}

func TestNoRuntimeInPath(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	if err := Available(""); err == nil || !strings.Contains(err.Error(), "apt-get install runc") {
		t.Errorf("got %v", err)
	}
}

// On a host with cgroup v1, crun would fail with a riddle.
func TestCrunNeedsCgroup2(t *testing.T) {
	path := filepath.Join(t.TempDir(), "crun")
	if err := os.WriteFile(path, nil, 0o755); err != nil {
		t.Fatal(err)
	}
	err := Available(path)
	if unifiedCgroups() && err != nil {
		t.Errorf("refused on cgroup v2: %v", err)
	}
	if !unifiedCgroups() && (err == nil || !strings.Contains(err.Error(), "use runc")) {
		t.Errorf("got %v", err)
	}
}

func TestTheStateDirectoryIsRootsOwn(t *testing.T) {
	for name, spoil := range map[string]func(dir string) error{
		"mode":  func(dir string) error { return os.Mkdir(dir, 0o755) },
		"owner": func(dir string) error { return makeAndChown(dir) },
		"link":  func(dir string) error { return os.Symlink(filepath.Dir(dir), dir) },
		"file":  func(dir string) error { return os.WriteFile(dir, nil, 0o600) },
	} {
		t.Run(name, func(t *testing.T) {
			o := sandbox(t, "state", "wait")
			if err := spoil(o.StateDir); err != nil {
				t.Fatal(err)
			}
			if _, err := Run(t.Context(), o); err == nil || !strings.Contains(err.Error(), "state directory") {
				t.Errorf("got %v", err)
			}
			if err := CleanStale(o.StateDir); err == nil {
				t.Error("CleanStale took it")
			}
		})
	}
}

func makeAndChown(dir string) error {
	if err := os.Mkdir(dir, 0o700); err != nil {
		return err
	}
	return os.Chown(dir, 65532, 65532)
}

func FuzzParseRequest(f *testing.F) {
	b, err := os.ReadFile("testdata/config.json")
	if err != nil {
		f.Fatal(err)
	}
	f.Add([]byte(strings.ReplaceAll(string(b), "CGROUP", "/immure/x")))
	f.Add([]byte(`{"linux":{"cgroupsPath":"/a/../x"}}`))
	f.Add([]byte(`{"linux":[]}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := parseRequest(b, "x")
		if err == nil && (!strings.HasSuffix(r.Linux.CgroupsPath, "/x") || strings.Contains(r.Linux.CgroupsPath, "..") && filepath.Clean(r.Linux.CgroupsPath) != r.Linux.CgroupsPath) {
			t.Errorf("took cgroup %q", r.Linux.CgroupsPath)
		}
	})
}

func FuzzLastError(f *testing.F) {
	f.Add([]byte(`{"level":"error","msg":"exec: \"/absent\":\nno such file"}` + "\n"))
	f.Add([]byte("not json\n{\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		path := filepath.Join(t.TempDir(), "log")
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
		if s := lastError(path); strings.ContainsAny(s, "\n\r") {
			t.Errorf("more than one line: %q", s)
		}
	})
}
