//go:build e2e

package hostile_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/tarball"

	"github.com/immure-dev/immure/attest"
	"github.com/immure-dev/immure/attest/tree"
)

// The status of the service is that of immure run.
func TestExitStatuses(t *testing.T) {
	f := service(t)
	store := filepath.Join(t.TempDir(), "store")
	for _, status := range []int{0, 1, 2, 7, 42, 125, 126, 127, 128, 137, 255} {
		r := immure(t, "run", f.ref(), "--key", f.public, "--store", store, "-e", fmt.Sprintf("MODE=exit %d", status))
		if r.status != status {
			t.Errorf("got status %d, want %d:\n%s", r.status, status, r.stderr)
		}
	}
}

// Signals reach the service, and what ends it is told in the shell's form.
func TestSignals(t *testing.T) {
	f := service(t)
	r := start(t, f, "--name", "hostile-signals")
	r.says(t, "ready")
	for signal, said := range map[syscall.Signal]string{
		syscall.SIGINT: "got interrupt", syscall.SIGHUP: "got hangup", syscall.SIGUSR1: "got user defined signal 1",
	} {
		r.signal(t, signal)
		r.says(t, said)
	}
	r.signal(t, syscall.SIGTERM)
	if status := r.wait(); status != 7 {
		t.Errorf("got status %d, want 7, which the service chose", status)
	}
	nothingLeft(t, "hostile-signals")

	for _, signal := range []syscall.Signal{syscall.SIGKILL, syscall.SIGSEGV, syscall.SIGSYS} {
		r := start(t, f, "--name", "hostile-signals")
		r.says(t, "ready")
		must(t, syscall.Kill(r.PID, signal))
		// The Go runtime of the service reports a SIGSEGV and ends with status 2.
		if status, want := r.wait(), 128+int(signal); status != want && !(signal == syscall.SIGSEGV && status == 2) && !(signal == syscall.SIGSYS && status == 2) {
			t.Errorf("killed by %v: got status %d, want %d", signal, status, want)
		}
		nothingLeft(t, "hostile-signals")
	}
}

// What the command line asks for beyond the boundary is refused before anything
// is unpacked or run.
func TestRunRefuses(t *testing.T) {
	f := service(t)
	for _, tc := range []struct {
		name   string
		args   []string
		status int
		words  string
	}{
		{"a port", []string{"-p", "0:22"}, 1, "immure: refused: network.listen: "},
		{"a port of another protocol", []string{"-p", "0:8080/udp"}, 1, "immure: refused: network.listen: "},
		{"a good port and another", []string{"-p", "0:8080", "-p", "0:8081"}, 1, "immure: refused: network.listen: "},
		{"a port that is none", []string{"-p", "0:0"}, 2, "immure: "},
		{"a port beyond", []string{"-p", "0:73616"}, 2, "immure: "}, // 8080 + 65536
		{"a mount", []string{"--mount", "/etc=/etc"}, 1, "immure: refused: mounts: "},
		{"a mount on scratch", []string{"--mount", "/scratch=/"}, 1, "immure: refused: "},
		{"a mount over the program", []string{"--mount", "/usr/bin=/tmp"}, 1, "immure: refused: "},
		{"a mount over the seal", []string{"--mount", "/.immure=/tmp"}, 1, "immure: refused: "},
		{"a mount through ..", []string{"--mount", "/scratch/../usr/bin=/tmp"}, 1, "immure: refused: "},
		{"a loader variable", []string{"-e", "LD_PRELOAD=/scratch/x.so"}, 1, "immure: refused: process.env: "},
		{"another variable", []string{"-e", "HOME=/"}, 1, "immure: refused: process.env: "},
		{"another path", []string{"-e", "PATH=/scratch"}, 1, "immure: refused: process.env: "},
		{"a variable in another's name", []string{"-e", "MODE\nLD_PRELOAD=x"}, 1, "immure: refused: process.env: "},
		{"a variable without a value", []string{"-e", "MODE"}, 2, "immure: --env MODE: "},
		{"a name that climbs", []string{"--name", "../x"}, 2, "immure: "},
		{"a name that is absolute", []string{"--name", "/x"}, 2, "immure: "},
		{"a name of dots", []string{"--name", ".."}, 2, "immure: "},
		{"a name like an option", []string{"--name", "--force"}, 2, "immure: "},
		{"a runtime that is not there", []string{"--runtime", "/nowhere/runc"}, 2, "immure: "},
		{"a runtime that is a directory", []string{"--runtime", "/"}, 2, "immure: "},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			run(t, f, f.ref(), tc.args...).refused(t, tc.status, tc.words)
		})
	}
	t.Run("another key", func(t *testing.T) {
		stranger(t)
		immure(t, "run", f.ref(), "--key", filepath.Join(scratch, "stranger.pub"), "--store", filepath.Join(t.TempDir(), "s")).refused(t, 1, "signature")
	})
	t.Run("no key", func(t *testing.T) { immure(t, "run", f.ref()).refused(t, 2, "nobody is trusted") })
	t.Run("an image without a seal", func(t *testing.T) {
		img := f.unsealed(t)
		run(t, f, inLayout(t, img, f.about(t, img, f.predicate))).refused(t, 1, "signature")
	})
}

// One name is one container: a second run leaves the first alone.
func TestNameInUse(t *testing.T) {
	f := service(t)
	first := start(t, f, "--name", "hostile-name", "-e", "MODE=")
	first.says(t, "ready")
	run(t, f, f.ref(), "--name", "hostile-name", "-e", "MODE=exit 0").refused(t, 2, `"hostile-name"`)
	run(t, f, f.ref(), "--name", "hostile-name", "--detach").refused(t, 2, `"hostile-name"`)
	first.signal(t, syscall.SIGUSR1)
	first.says(t, "got user defined signal 1")
	first.signal(t, syscall.SIGTERM)
	if status := first.wait(); status != 7 {
		t.Errorf("the first ended with status %d", status)
	}
	nothingLeft(t, "hostile-name")
}

// evil is the fixture with another program beneath what it declares and its
// seal, in a layer too large for who reads only those.
func (f *fixture) evil(tb testing.TB, more ...v1.Layer) v1.Image {
	tb.Helper()
	layers, err := f.img.Layers()
	must(tb, err)
	files := flatten(tb, f.img)
	program := flip(bytesOf(tb, files, "/usr/bin/service"), 100)
	other := archive(tb, entry{name: "usr/bin/service", data: string(program), mode: 0o555})
	all := append([]v1.Layer{layers[0], other}, layers[1:]...)
	return assemble(tb, f.img, nil, append(all, more...)...)
}

// A runtime does not see the files of an image that is new here before they are
// known to be the sealed ones, and neither does the store keep them: another
// image could be run from them.
func TestTheRuntimeIsNotLetNear(t *testing.T) {
	f := service(t)
	dir := t.TempDir()
	store, called, runc := filepath.Join(dir, "store"), filepath.Join(dir, "called"), filepath.Join(dir, "runc")
	must(t, os.WriteFile(runc, fmt.Appendf(nil, "#!/bin/sh\n: > %s\nexec runc \"$@\"\n", called), 0o755))
	start := func(ref, key string) (result, bool) {
		r := immure(t, "run", ref, "--key", key, "--store", store, "--runtime", runc, "-e", "MODE=exit 0")
		_, err := os.Stat(called)
		return r, err == nil
	}
	digest, err := tree.Digest(flatten(t, f.img), tree.SealPath)
	must(t, err)
	seal, err := attest.Seal(f.predicate, digest, stranger(t))
	must(t, err)
	theirs := f.evil(t, archive(t, entry{name: tree.SealPath[1:], data: string(seal), mode: 0o444}))
	raw, err := theirs.RawManifest()
	must(t, err)
	said, err := attest.Sign(f.predicate, attest.Manifest(raw), stranger(t))
	must(t, err)
	ours := f.evil(t)
	for _, c := range []struct{ ref, key string }{
		{inLayout(t, ours, f.about(t, ours, f.predicate)), f.public},
		{inLayout(t, theirs, beside(t, theirs, said)), filepath.Join(scratch, "stranger.pub")},
	} {
		r, near := start(c.ref, c.key)
		r.refused(t, 1, "files")
		if left, err := os.ReadDir(filepath.Join(store, "trees")); err != nil || len(left) > 0 {
			t.Errorf("the store keeps %v (%v)", left, err)
		}
		if near {
			t.Error("the runtime was called for files that are another's")
		}
	}
	if r, near := start(f.ref(), f.public); !near || r.status != 0 {
		t.Errorf("the runtime was called %t for the right files, status %d:\n%s", near, r.status, r.stderr)
	}
}

// A directory that was put in the place of the one that was digested is no
// root for the service, even if it looks the same.
func TestTheRootIsTheOneThatWasDigested(t *testing.T) {
	f := service(t)
	dir := t.TempDir()
	store, runc := filepath.Join(dir, "store"), filepath.Join(dir, "runc")
	swap := fmt.Sprintf("#!/bin/sh\ncase \"$*\" in *' create '*) for r in %s/trees/*; do mv $r %s/old && cp -a %s/old $r; done;; esac\nexec runc \"$@\"\n", store, dir, dir)
	must(t, os.WriteFile(runc, []byte(swap), 0o755))
	start := func(more ...string) result {
		return immure(t, append([]string{"run", f.ref(), "--key", f.public, "--store", store, "-e", "MODE=exit 6"}, more...)...)
	}
	if r := start(); r.status != 6 {
		t.Fatalf("status %d:\n%s", r.status, r.stderr)
	}
	start("--runtime", runc).refused(t, 1, "files", "another root directory")
}

func TestRunFromEveryMedium(t *testing.T) {
	f := service(t)
	dir := t.TempDir()
	archived, docker := filepath.Join(dir, "oci.tar"), filepath.Join(dir, "docker.tar")
	out, err := exec.Command("tar", "-C", f.dir, "-cf", archived, "oci-layout", "index.json", "blobs").CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	tag, err := name.NewTag("example.com/service:v1")
	must(t, err)
	must(t, tarball.WriteToFile(docker, tag, f.img))
	for _, ref := range []string{f.ref(), "oci-archive:" + archived, "docker-archive:" + docker, inRegistry(t, f.img)} {
		for range 2 { // unpacked, and from the store
			if r := run(t, f, ref, "-e", "MODE=exit 6"); r.status != 6 {
				t.Errorf("%s: status %d:\n%s", ref, r.status, r.stderr)
			}
		}
	}
}

// Whoever can write to the store changes what was unpacked: the next run sees
// it, whatever it is.
func TestTamperedStore(t *testing.T) {
	f := service(t)
	for _, tc := range []struct {
		name string
		harm func(root string) error
	}{
		{"a bit of the program", func(root string) error {
			path := filepath.Join(root, "usr/bin/service")
			data, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			return os.WriteFile(path, flip(data, len(data)-1), 0o555)
		}},
		{"a file more", func(root string) error { return os.WriteFile(filepath.Join(root, "usr/bin/more"), []byte("#"), 0o755) }},
		{"a file less", func(root string) error { return os.Remove(filepath.Join(root, "etc/passwd")) }},
		{"setuid", func(root string) error { return os.Chmod(filepath.Join(root, "usr/bin/service"), 0o555|os.ModeSetuid) }},
		{"another owner", func(root string) error { return os.Chown(filepath.Join(root, "scratch"), 1, 1) }},
		{"a directory more", func(root string) error { return os.Mkdir(filepath.Join(root, "data"), 0o755) }},
		{"a link for scratch", func(root string) error {
			if err := os.Remove(filepath.Join(root, "scratch")); err != nil {
				return err
			}
			return os.Symlink("usr/bin", filepath.Join(root, "scratch"))
		}},
		{"a link for the program", func(root string) error {
			if err := os.Remove(filepath.Join(root, "usr/bin/service")); err != nil {
				return err
			}
			return os.Symlink("/proc/self/exe", filepath.Join(root, "usr/bin/service"))
		}},
		{"a pipe for a file", func(root string) error {
			if err := os.Remove(filepath.Join(root, "etc/passwd")); err != nil {
				return err
			}
			return syscall.Mkfifo(filepath.Join(root, "etc/passwd"), 0o444)
		}},
		{"a device more", func(root string) error {
			return syscall.Mknod(filepath.Join(root, "sda"), syscall.S_IFBLK|0o666, 0x800)
		}},
		{"a socket more", func(root string) error { return syscall.Mknod(filepath.Join(root, "s"), syscall.S_IFSOCK|0o666, 0) }},
		{"a capability", func(root string) error {
			return syscall.Setxattr(filepath.Join(root, "usr/bin/service"), "security.capability", []byte(setCapability), 0)
		}},
		{"a link for the root", func(root string) error {
			if err := os.Rename(root, root+".moved"); err != nil {
				return err
			}
			return os.Symlink("/", root)
		}},
		{"an empty root", func(root string) error {
			if err := os.RemoveAll(root); err != nil {
				return err
			}
			return os.Mkdir(root, 0o755)
		}},
		{"a file for the root", func(root string) error {
			if err := os.RemoveAll(root); err != nil {
				return err
			}
			return os.WriteFile(root, nil, 0o755)
		}},
		{"a store that all may write", func(root string) error { return os.Chmod(filepath.Dir(filepath.Dir(root)), 0o777) }},
		{"a store of another's", func(root string) error { return os.Chown(filepath.Dir(filepath.Dir(root)), 1, 1) }},
		{"trees of another's", func(root string) error { return os.Chown(filepath.Dir(root), 1, 1) }},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			store := filepath.Join(t.TempDir(), "store")
			again := func() result {
				return immure(t, "run", f.ref(), "--key", f.public, "--store", store, "-e", "MODE=exit 0")
			}
			again().allowed(t)
			again().allowed(t)
			roots, err := filepath.Glob(filepath.Join(store, "trees", "*"))
			must(t, err)
			if len(roots) != 1 {
				t.Fatalf("%d trees in the store", len(roots))
			}
			must(t, tc.harm(roots[0]))
			for range 2 {
				r := again()
				r.notAllowed(t)
				if r.status == 1 && !strings.Contains(r.stderr, "immure: refused: files: ") {
					t.Errorf("refused for another reason:\n%s", r.stderr)
				}
			}
		})
	}
}
