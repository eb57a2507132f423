package builder

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/immure-dev/immure/internal/rootfs"
)

// sharedObject links an object that needs the libraries, which are in dir.
func sharedObject(t *testing.T, dir, name string, needs ...string) {
	t.Helper()
	source := write(t, filepath.Join(t.TempDir(), "x.c"), "int answer(void) { return 42; }\n", 0o644)
	args := []string{"-shared", "-nostdlib", "-fPIC", "-Wl,--no-as-needed", "-Wl,-z,noexecstack", "-o", filepath.Join(dir, name), source}
	for _, n := range needs {
		args = append(args, filepath.Join(dir, n))
	}
	if strings.HasPrefix(name, "lib") {
		args = append(args, "-Wl,-soname,"+name)
	}
	if out, err := exec.Command("gcc", args...).CombinedOutput(); err != nil {
		t.Fatalf("gcc: %v\n%s", err, out)
	}
}

const moduleYAML = sleepYAML + "boundary: {files: {read: [/usr/lib/sleep/modules]}}\n"

// aModule makes a root file system whose program may open a module, which needs
// a library, which needs another.
func aModule(t *testing.T, dir string) (libs string) {
	t.Helper()
	root := filepath.Join(dir, "rootfs")
	aRootfs(t, root)
	made := t.TempDir()
	sharedObject(t, made, "libinner.so.1")
	sharedObject(t, made, "libouter.so.1", "libinner.so.1")
	sharedObject(t, made, "dream.so", "libouter.so.1")
	libs = filepath.Join(root, "usr/lib/x86_64-linux-gnu")
	install(t, filepath.Join(made, "dream.so"), filepath.Join(root, "usr/lib/sleep/modules/dream.so"))
	install(t, filepath.Join(made, "libouter.so.1"), filepath.Join(libs, "libouter.so.1"))
	install(t, filepath.Join(made, "libinner.so.1"), filepath.Join(libs, "libinner.so.1"))
	return libs
}

func TestModules(t *testing.T) {
	dir := t.TempDir()
	aModule(t, dir)
	r := mustBuild(t, dir, moduleYAML)
	for p, why := range map[string]string{
		"/usr/lib/sleep/modules/dream.so":         "boundary.files.read",
		"/usr/lib/x86_64-linux-gnu/libouter.so.1": "needed by /usr/lib/sleep/modules/dream.so",
		"/usr/lib/x86_64-linux-gnu/libinner.so.1": "needed by /usr/lib/x86_64-linux-gnu/libouter.so.1",
	} {
		if r.Why[p] != why {
			t.Errorf("%s: kept for %q, want %q", p, r.Why[p], why)
		}
		if rights := r.Pair.Service.FileRights.String(); !strings.Contains(rights, "execute "+p) {
			t.Errorf("%s cannot be mapped: %s", p, rights)
		}
	}
}

func TestModuleWithoutItsLibrary(t *testing.T) {
	dir := t.TempDir()
	libs := aModule(t, dir)
	remove(t, filepath.Join(libs, "libinner.so.1"))
	_, err := buildIn(t, dir, moduleYAML)
	for _, want := range []string{"immure.yaml:4:12: boundary.files: ", `"libinner.so.1"`, "needed by /usr/lib/x86_64-linux-gnu/libouter.so.1", "keep the object out of boundary.files.read"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
}

// What no loader would take is a file like any other.
func TestNoModules(t *testing.T) {
	dir := t.TempDir()
	libs := aModule(t, dir)
	modules := filepath.Join(dir, "rootfs/usr/lib/sleep/modules")
	patch(t, filepath.Join(modules, "dream.so"), 18, 183) // of another machine
	write(t, filepath.Join(modules, "script.so"), "INPUT(/usr/lib/libc.so.6)\n"+strings.Repeat(" ", 64), 0o644)
	write(t, filepath.Join(modules, "broken.so"), "\x7fELF"+strings.Repeat("\xff", 96), 0o644)
	remove(t, filepath.Join(libs, "libinner.so.1"))
	remove(t, filepath.Join(libs, "libouter.so.1"))
	r := mustBuild(t, dir, moduleYAML)
	if rights := r.Pair.Service.FileRights.String(); strings.Contains(rights, "execute /usr/lib/sleep") {
		t.Errorf("rights %s", rights)
	}
}

// A module that is added to a program of the host brings its library as well,
// and nothing else that the host has.
func TestAddedModule(t *testing.T) {
	dir := t.TempDir()
	sharedObject(t, dir, "libdream.so.1")
	sharedObject(t, dir, "dream.so", "libdream.so.1")
	const yaml = `service: napper
from: {binary: /usr/bin/sleep}
run: {args: [/usr/bin/napper, "1"]}
boundary: {files: {add: [{from: dream.so, to: /usr/lib/napper/dream.so}]}}
`
	if _, err := buildIn(t, dir, yaml); err == nil || !strings.Contains(err.Error(), `"libdream.so.1", needed by /usr/lib/napper/dream.so`) {
		t.Errorf("without its library: %v", err)
	}
	r := mustBuild(t, dir, strings.Replace(yaml, "add: [", "add: [{from: libdream.so.1, to: /usr/lib/libdream.so.1}, ", 1))
	if n := r.Tree.Get("/usr/lib/libdream.so.1"); n == nil || n.Type != rootfs.Regular {
		t.Errorf("library is %v", n)
	}
}

func install(t *testing.T, from, to string) {
	t.Helper()
	data, err := os.ReadFile(from)
	if err != nil {
		t.Fatal(err)
	}
	write(t, to, string(data), 0o755)
}

func remove(t *testing.T, name string) {
	t.Helper()
	if err := os.Remove(name); err != nil {
		t.Fatal(err)
	}
}
