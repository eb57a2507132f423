package debian

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/immure-dev/immure/builder/elf"
	"github.com/immure-dev/immure/internal/rootfs"
)

var update = flag.Bool("update", false, "write the golden files anew")

func hello() *deb {
	return (&deb{name: "hello", version: "1:1.0-1", fields: "Depends: libhello1 (>= 1), usr-is-merged\nSource: hello-src (0.9)\n"}).
		file("/usr/bin/hello", "program").file("/etc/hello.conf", "conf").
		file("/DEBIAN-like", "not a script")
}

func libhello(version string) *deb {
	return (&deb{name: "libhello1", version: version}).file("/lib/libhello.so.1", "library "+version)
}

func TestBuild(t *testing.T) {
	r := newRepo(t, "trusted=yes", hello(), libhello("1.1"), libhello("0.9"), (&deb{name: "other", version: "1"}).file("/other", ""))
	opts := r.options()
	lockFile := filepath.Join(t.TempDir(), "immure.lock")
	build := func(names ...string) (*Root, error) {
		return Build(t.Context(), names, lockFile, spool(t), opts)
	}
	root, err := build("hello")
	if err != nil {
		t.Fatal(err)
	}
	first, err := os.ReadFile(lockFile)
	if err != nil {
		t.Fatal(err)
	}
	// The machine's architecture is the one thing in it that may differ.
	native, err := nativeArch(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	normal := bytes.Replace(first, []byte(`"architecture": "`+native+`"`), []byte(`"architecture": "ARCH"`), 1)
	golden := filepath.Join("testdata", "immure.lock")
	if *update {
		if err := os.WriteFile(golden, normal, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if want, err := os.ReadFile(golden); err != nil || !bytes.Equal(normal, want) {
		t.Errorf("lock file: got %s\nwant %s (%v)", normal, want, err)
	}
	if got := content(t, root.Tree, "/usr/lib/libhello.so.1"); got != "library 1.1" {
		t.Errorf("library: got %q", got)
	}
	if o := root.Owner("/usr/lib/libhello.so.1"); o != "libhello1" {
		t.Errorf("owner: got %q", o)
	}
	if p := root.Packages[0]; p.Source != "hello-src" || p.SourceVersion != "0.9" {
		t.Errorf("source: got %+v", p)
	}
	if p := root.Packages[1]; p.Source != "libhello1" || p.SourceVersion != "1.1" {
		t.Errorf("source: got %+v", p)
	}

	// The archive moves on; the lock and the cache hold what was locked.
	r.fill(hello(), libhello("1.2"))
	if root, err = build("hello"); err != nil {
		t.Fatal(err)
	}
	if got := content(t, root.Tree, "/usr/lib/libhello.so.1"); got != "library 1.1" {
		t.Errorf("library with lock: got %q", got)
	}
	if _, err := build("hello", "other"); err == nil || !strings.Contains(err.Error(), "lock is for hello, want hello other: write it anew with --relock") {
		t.Errorf("other names: got %v", err)
	}
	// Without the cache the version is gone, and the lock stays as it is.
	opts = r.options()
	if _, err = build("hello"); err == nil || !strings.Contains(err.Error(), "--relock") {
		t.Errorf("version gone: got %v", err)
	}
	if b, err := os.ReadFile(lockFile); err != nil || !bytes.Equal(b, first) {
		t.Errorf("lock file after a failure: %s, %v", b, err)
	}
	opts.Relock = true
	if root, err = build("hello"); err != nil {
		t.Fatal(err)
	}
	if got := content(t, root.Tree, "/usr/lib/libhello.so.1"); got != "library 1.2" {
		t.Errorf("library after relock: got %q", got)
	}
	r.clean()
}

func content(t *testing.T, tree *rootfs.Tree, p string) string {
	t.Helper()
	n := tree.Get(p)
	if n == nil || n.Content == nil {
		t.Fatalf("%s: no such file", p)
	}
	rc, err := n.Content.Open()
	if err != nil {
		t.Fatal(err)
	}
	defer rc.Close()
	b, err := io.ReadAll(rc)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestDigestMismatch(t *testing.T) {
	lib := libhello("1")
	r := newRepo(t, "trusted=yes", lib)
	opts := r.options()
	lock, err := Resolve(t.Context(), []string{"libhello1"}, opts)
	if err != nil {
		t.Fatal(err)
	}
	c, err := opts.cache()
	if err != nil {
		t.Fatal(err)
	}
	// A broken file in the cache is fetched anew.
	cached := c.path(lock.Packages[0])
	if err := os.WriteFile(cached, []byte("broken"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Unpack(t.Context(), lock, spool(t), opts); err == nil || !strings.Contains(err.Error(), "bytes locked") {
		t.Errorf("unpack a broken file: got %v", err)
	}
	if n, err := Fetch(t.Context(), lock, opts); n != 1 || err != nil {
		t.Errorf("fetch for a broken file: got %d, %v", n, err)
	}
	if n, err := Fetch(t.Context(), lock, opts); n != 0 || err != nil {
		t.Errorf("fetch again: got %d, %v", n, err)
	}
	// Another file under the same version, well indexed by the archive.
	r.fill(libhello("1").file("/evil", "x"))
	if err := os.Remove(cached); err != nil {
		t.Fatal(err)
	}
	if _, err := Fetch(t.Context(), lock, opts); err == nil || !strings.Contains(err.Error(), "libhello1 1: ") || !strings.Contains(err.Error(), "--relock") {
		t.Errorf("another file under the version: got %v", err)
	}
	if left, err := filepath.Glob(filepath.Join(string(c), "*")); err != nil || len(left) != 0 {
		t.Errorf("left in the cache: %q, %v", left, err)
	}
	// The file is not what the archive's own index says.
	r.fill(libhello("1"))
	r.write(filepath.Join(r.dir, lib.filename()), "broken")
	if _, err := Resolve(t.Context(), []string{"libhello1"}, r.options()); err == nil {
		t.Error("a file that the index does not know was taken")
	}
	r.clean()
}

func TestResolveRefuses(t *testing.T) {
	r := newRepo(t, "trusted=yes", (&deb{name: "provider", version: "1", fields: "Provides: virtual\n"}),
		&deb{name: "broken", version: "1", fields: "Depends: nowhere\n"})
	for name, want := range map[string]string{
		"virtual":          "virtual",
		"provide.":         "virtual or a pattern",
		"nothing":          "Unable to locate package nothing",
		"broken":           "broken : Depends: nowhere",
		"provider=2":       "Version '2' for 'provider' was not found",
		"provider-":        "want a name",
		"-o=x":             "want a name",
		"a b":              "want a name",
		"provider/stable":  "want a name",
		"provider=1;x":     "want a name",
		"../../etc/passwd": "want a name",
	} {
		_, err := Resolve(t.Context(), []string{name}, r.options())
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %q", name, err, want)
		}
	}
	if _, err := Resolve(t.Context(), nil, r.options()); err == nil {
		t.Error("no names: resolved")
	}
	r.clean()
}

// An archive that apt has no reason to trust is refused, as apt refuses it.
func TestUnsignedArchive(t *testing.T) {
	r := newRepo(t, "trusted=no", libhello("1"))
	_, err := Resolve(t.Context(), []string{"libhello1"}, r.options())
	if err == nil || !strings.Contains(err.Error(), "does not have a Release file") {
		t.Errorf("got %v", err)
	}
	r.write(filepath.Join(r.dir, "Release"), "Origin: nobody\n")
	_, err = Resolve(t.Context(), []string{"libhello1"}, r.options())
	if err == nil || !strings.Contains(err.Error(), "is not signed") {
		t.Errorf("with a Release file: got %v", err)
	}
	r.clean()
}

func TestCancel(t *testing.T) {
	r := newRepo(t, "trusted=yes", libhello("1"))
	ctx, cancel := context.WithCancel(t.Context())
	opts := r.options()
	opts.Log = func(string) { cancel() }
	if _, err := Resolve(ctx, []string{"libhello1"}, opts); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	r.clean()
}

// Nothing of apt's state is the machine's, and no hook of the machine runs.
func TestPrivateState(t *testing.T) {
	t.Setenv("TMPDIR", open(t))
	native, err := nativeArch(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	a, err := newApt(t.Context(), Options{}, native)
	if err != nil {
		t.Fatal(err)
	}
	defer a.close()
	out, err := exec.Command("apt-config", "-c", a.conf, "dump").Output()
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(out)) {
		name, value, _ := strings.Cut(strings.TrimSuffix(strings.TrimSpace(line), ";"), " ")
		value = strings.Trim(value, `"`)
		switch name {
		case "Dir::State", "Dir::State::status", "Dir::Cache", "Dir::Cache::archives", "Dir::Log":
			if !strings.HasPrefix(value, a.dir) {
				t.Errorf("%s is %q, outside %s", name, value, a.dir)
			}
		}
		if strings.Contains(name, "-Invoke") || strings.Contains(name, "Pre-Install-Pkgs") || strings.HasPrefix(name, "AptCli::Hooks") {
			if value != "" {
				t.Errorf("hook %s is %q", name, value)
			}
		}
	}
	if err := a.close(); err != nil {
		t.Error(err)
	}
}

// redis-server from the machine's own sources, with their signatures.
func TestRealPackage(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	t.Setenv("TMPDIR", open(t))
	opts := Options{CacheDir: t.TempDir()}
	lockFile := filepath.Join(t.TempDir(), "immure.lock")
	root, err := Build(ctx, []string{"redis-server"}, lockFile, spool(t), opts)
	if err != nil {
		t.Fatal(err)
	}
	if err := root.Tree.Check(); err != nil {
		t.Error(err)
	}
	closure, err := elf.Closure(elf.FromTree(root.Tree), "/usr/bin/redis-server", elf.Options{})
	if err != nil {
		t.Fatal(err)
	}
	var size int64
	owners := make(map[string]bool)
	for _, f := range closure.Files {
		size += f.Node.Size
		owners[root.Owner(f.Path)] = true
	}
	t.Logf("redis-server: %d packages, %d files of %d bytes; closure %d files of %d bytes",
		len(root.Packages), root.Tree.Len(), root.Tree.Size(), len(closure.Files), size)
	if size > 20<<20 || !owners["redis-server"] || !owners["libc6"] {
		t.Errorf("closure: %d bytes, from %v", size, owners)
	}
	again, err := Build(ctx, []string{"redis-server"}, lockFile, spool(t), opts)
	if err != nil {
		t.Fatal(err)
	}
	var layers [2]bytes.Buffer
	for i, r := range []*Root{root, again} {
		if err := r.Tree.WriteLayer(&layers[i], time.Unix(0, 0)); err != nil {
			t.Fatal(err)
		}
	}
	if !bytes.Equal(layers[0].Bytes(), layers[1].Bytes()) {
		t.Error("the same lock gave two layers")
	}
}
