package elf

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// ld.so itself says what it would load: the closure of a program of this
// machine must be that, and nothing more.
func TestAgainstLoader(t *testing.T) {
	host, err := FromHost("/")
	if err != nil {
		t.Fatal(err)
	}
	defer host.Close()
	for _, name := range []string{"apt-get", "dpkg-deb", "bash"} {
		program, err := exec.LookPath(name)
		if err != nil {
			t.Fatal(err)
		}
		r, err := Closure(host, program, Options{})
		if err != nil {
			t.Fatal(err)
		}
		cmd := exec.Command(r.Interpreter, "--list", program)
		cmd.Env = []string{}
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("%s --list %s: %v: %s", r.Interpreter, program, err, out)
		}
		var want []string
		for _, m := range regexp.MustCompile(`(?m)=> (/\S+)`).FindAllStringSubmatch(string(out), -1) {
			p, err := filepath.EvalSymlinks(m[1])
			if err != nil {
				t.Fatal(err)
			}
			if interp, err := filepath.EvalSymlinks(r.Interpreter); err != nil || p != interp {
				want = append(want, p)
			}
		}
		got := slices.Sorted(slices.Values(r.Needed))
		slices.Sort(want)
		if !slices.Equal(got, want) || len(want) == 0 {
			t.Errorf("%s: got %q, ld.so loads %q", name, got, want)
		}
	}
}

// The links of a host directory are followed within it.
func TestHostStaysInside(t *testing.T) {
	dir := t.TempDir()
	if err := os.MkdirAll(filepath.Join(dir, "usr/bin"), 0o755); err != nil {
		t.Fatal(err)
	}
	for link, target := range map[string]string{"bin": "/usr/bin", "out": "../../../../../../etc", "usr/bin/q": "../../bin/p"} {
		if err := os.Symlink(target, filepath.Join(dir, link)); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "usr/bin/p"), image{}.bytes(), 0o711); err != nil {
		t.Fatal(err)
	}
	host, err := FromHost(dir)
	if err != nil {
		t.Fatal(err)
	}
	r, err := Closure(host, "/bin/q", Options{Arch: "amd64"})
	if err != nil {
		t.Fatal(err)
	}
	if want := []string{"/bin", "/usr/bin/p", "/usr/bin/q"}; !slices.Equal(paths(r), want) {
		t.Errorf("got %q, want %q", paths(r), want)
	}
	if n := r.Files[1].Node; n.Mode != 0o711 || n.Size == 0 {
		t.Errorf("node: got %+v", n)
	}
	if _, err := Closure(host, "/out/passwd", Options{}); err == nil || !strings.Contains(err.Error(), "no such file") {
		t.Errorf("link out of the directory: got %v", err)
	}
	if names, err := host.List("/usr"); err != nil || !slices.Equal(names, []string{"bin"}) {
		t.Errorf("list: got %q, %v", names, err)
	}
	if names, err := host.List("/none"); err != nil || names != nil {
		t.Errorf("list of a missing directory: got %q, %v", names, err)
	}
	if err := host.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := FromHost(filepath.Join(dir, "none")); err == nil {
		t.Error("missing directory opened")
	}
}
