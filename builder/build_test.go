package builder

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/immure-dev/immure/builder/bake"
	"github.com/immure-dev/immure/builder/servicefile"
	"github.com/immure-dev/immure/harden"
	"github.com/immure-dev/immure/internal/rootfs"
)

var now = time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC)

// build builds the service file text in dir.
func buildIn(t *testing.T, dir, text string) (*Result, error) {
	t.Helper()
	f, err := servicefile.Parse("immure.yaml", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	r, err := Build(context.Background(), f, Options{Dir: dir, Now: now})
	if err == nil {
		t.Cleanup(func() {
			if err := r.Close(); err != nil {
				t.Error(err)
			}
		})
	}
	return r, err
}

func mustBuild(t *testing.T, dir, text string) *Result {
	t.Helper()
	r, err := buildIn(t, dir, text)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func digest(t *testing.T, r *Result, seal []byte) v1.Hash {
	t.Helper()
	img, err := r.Image(seal)
	if err != nil {
		t.Fatal(err)
	}
	h, err := img.Digest()
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func write(t *testing.T, name, text string, mode os.FileMode) string {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(name, mode); err != nil { // whatever the umask
		t.Fatal(err)
	}
	return name
}

const helloYAML = `service: hello
from: {go: ./cmd/hello}
run: {args: [/usr/bin/hello, -listen, ":8080"]}
boundary: {listen: [8080/tcp], memory: 64Mi, pids: 64, cpu: 1}
`

func goModule(t *testing.T, dir string) string {
	t.Helper()
	write(t, filepath.Join(dir, "go.mod"), "module example.org/hello\n\ngo 1.26\n", 0o644)
	write(t, filepath.Join(dir, "cmd/hello/main.go"), "package main\n\nfunc main() { println(\"hello\") }\n", 0o644)
	return dir
}

func TestGoIsReproducible(t *testing.T) {
	a := mustBuild(t, goModule(t, t.TempDir()), helloYAML)
	t.Setenv("GOFLAGS", "-buildvcs=true -ldflags=-X=main.x=y")
	t.Setenv("GOARCH", "arm64")
	t.Setenv("CGO_ENABLED", "1")
	b := mustBuild(t, goModule(t, filepath.Join(t.TempDir(), "some", "where", "else")), helloYAML)
	if x, y := digest(t, a, nil), digest(t, b, nil); x != y {
		t.Errorf("two directories and environments give %s and %s", x, y)
	}
	if x, y := digest(t, a, []byte("seal")), digest(t, b, []byte("seal")); x != y || x == digest(t, a, nil) {
		t.Errorf("sealed images are %s and %s", x, y)
	}
	if a.Pair.Service.Text("process.executable") != "/usr/bin/hello" || a.Profile != "go-static" {
		t.Errorf("executable %s, profile %s", a.Pair.Service.Text("process.executable"), a.Profile)
	}
	program := a.Tree.Get("/usr/bin/hello")
	if over := a.Minimised.Bytes - program.Size; over > 100_000 {
		t.Errorf("%d bytes beside the program", over)
	}
}

func TestCreatedIsInTheImage(t *testing.T) {
	dir := goModule(t, t.TempDir())
	f, err := servicefile.Parse("immure.yaml", []byte(helloYAML))
	if err != nil {
		t.Fatal(err)
	}
	created := time.Date(2026, 2, 3, 4, 5, 6, 7, time.UTC)
	r, err := Build(context.Background(), f, Options{Dir: dir, Now: now, Created: created})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	img, err := r.Image(nil)
	if err != nil {
		t.Fatal(err)
	}
	c, err := img.ConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	if want := created.Truncate(time.Second); !c.Created.Equal(want) {
		t.Errorf("created %s, want %s", c.Created, want)
	}
}

// TestImage reads an image back: a valid one, whose layers hold the tree and
// whose configuration says how it is meant to run.
func TestImage(t *testing.T) {
	r := mustBuild(t, goModule(t, t.TempDir()), strings.Replace(helloYAML, "boundary: {", "boundary: {files: {scratch: [/tmp]}, ", 1))
	img, err := r.Image([]byte(`{"seal":1}`))
	if err != nil {
		t.Fatal(err)
	}
	c, err := img.ConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	if c.Config.User != "65532:65532" || strings.Join(c.Config.Entrypoint, " ") != "/usr/bin/hello -listen :8080" ||
		c.Config.Cmd != nil || c.Config.WorkingDir != "/" || !c.Created.Equal(time.Unix(0, 0)) {
		t.Errorf("configuration %+v", c.Config)
	}
	l := c.Config.Labels
	if l[bake.LabelService] != "hello" || l[bake.LabelEpoch] != "1" || l[bake.LabelBoundary] != r.Files.BoundaryDigest ||
		l[bake.LabelRootfs] != "readOnly" || l["io.containers.seccomp.profile"] != string(r.Files.Seccomp) {
		t.Errorf("labels %v", l)
	}
	back := flatten(t, img)
	if n := back.Get(bake.SealPath); n == nil || n.Mode != 0o444 || n.UID != 0 || n.Size != 10 {
		t.Errorf("seal is %+v", n)
	}
	back.Remove(bake.SealPath)
	compare(t, r.Tree, back)
	pair, err := harden.DecodePair(r.Files.Boundary)
	if err != nil {
		t.Fatal(err)
	}
	if err := pair.Check(); err != nil {
		t.Error(err)
	}
	for n := range r.Tree.All() {
		if r.Why[n.Path] == "" {
			t.Errorf("no reason for %s", n.Path)
		}
	}
	if n := r.Tree.Get("/tmp"); n == nil || n.Type != rootfs.Directory {
		t.Error("no place for the scratch directory")
	}
}

func flatten(t *testing.T, img v1.Image) *rootfs.Tree {
	t.Helper()
	spool, err := rootfs.NewSpool(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { spool.Close() })
	layers, err := img.Layers()
	if err != nil {
		t.Fatal(err)
	}
	tree := new(rootfs.Tree)
	for _, l := range layers {
		packed, err := l.Compressed()
		if err != nil {
			t.Fatal(err)
		}
		h, size, err := v1.SHA256(packed)
		if want, _ := l.Digest(); err != nil || h != want {
			t.Errorf("layer of %d bytes has digest %s, not %s: %v", size, h, want, err)
		}
		r, err := l.Uncompressed()
		if err != nil {
			t.Fatal(err)
		}
		plain, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		h, _, err = v1.SHA256(bytes.NewReader(plain))
		if want, _ := l.DiffID(); err != nil || h != want {
			t.Errorf("layer has diff id %s, not %s: %v", h, want, err)
		}
		if err := tree.Apply(bytes.NewReader(plain), spool, rootfs.DefaultLimits); err != nil {
			t.Fatal(err)
		}
	}
	return tree
}

func compare(t *testing.T, a, b *rootfs.Tree) {
	t.Helper()
	for n := range a.All() {
		m := b.Get(n.Path)
		if m == nil || m.Type != n.Type || m.Mode != n.Mode || m.UID != n.UID || m.GID != n.GID || m.Size != n.Size || m.Target != n.Target {
			t.Errorf("%s: %+v became %+v", n.Path, n, m)
		}
	}
	if a.Len() != b.Len() {
		t.Errorf("%d nodes became %d", a.Len(), b.Len())
	}
}

func TestGoErrors(t *testing.T) {
	dir := goModule(t, t.TempDir())
	write(t, filepath.Join(dir, "cmd/broken/main.go"), "package main\n\nfunc main() { undefined() }\n", 0o644)
	write(t, filepath.Join(dir, "lib/lib.go"), "package lib\n", 0o644)
	for pkg, want := range map[string]string{
		"./cmd/broken": "undefined: undefined",
		"./cmd/none":   "no such file or directory",
		"./go.mod":     "not a directory",
		"./lib":        "exactly one main package",
	} {
		_, err := buildIn(t, dir, strings.Replace(helloYAML, "./cmd/hello", pkg, 1))
		if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "immure.yaml:2:8") {
			t.Errorf("%s: %v, want %q", pkg, err, want)
		}
	}
}

// TestCancelled ends a build at different stages: nothing stays behind.
func TestCancelled(t *testing.T) {
	dir := goModule(t, t.TempDir())
	tmp := t.TempDir()
	t.Setenv("TMPDIR", tmp)
	f, err := servicefile.Parse("immure.yaml", []byte(helloYAML))
	if err != nil {
		t.Fatal(err)
	}
	for _, stage := range []string{"gathering files", "finding what is needed"} {
		ctx, cancel := context.WithCancel(context.Background())
		_, err := Build(ctx, f, Options{Dir: dir, Now: now, Progress: func(s string, _, _ int64) {
			if s == stage {
				cancel()
			}
		}})
		if !errors.Is(err, context.Canceled) {
			t.Errorf("%s: %v", stage, err)
		}
		left, err := os.ReadDir(tmp)
		if err != nil || len(left) > 0 {
			t.Errorf("%s: left %v, %v", stage, left, err)
		}
	}
}

// TestExample builds the example that people start from.
func TestExample(t *testing.T) {
	dir := filepath.Join("..", "examples", "hello")
	data, err := os.ReadFile(filepath.Join(dir, "immure.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	r := mustBuild(t, dir, string(data))
	program := r.Tree.Get("/usr/bin/hello")
	if program == nil || r.Tree.Size()-program.Size > 100_000 {
		t.Errorf("image holds %d bytes, its program %v", r.Tree.Size(), program)
	}
}

func TestNoticeOfNoWayOut(t *testing.T) {
	for connect, want := range map[string]bool{"'db.example:5432/tcp'": true, "'10.0.0.1:5432/tcp'": true, "'127.0.0.1:5432/tcp', 'localhost:1/tcp'": false, "": false} {
		c, pair, err := composed(t, head+"boundary: {connect: ["+connect+"]}\n")
		if err != nil {
			t.Fatal(err)
		}
		got := strings.Contains(strings.Join(notices(c.file, &Result{Pair: pair}), "\n"), "no way out of it yet")
		if got != want {
			t.Errorf("connect %s: said %t, want %t", connect, got, want)
		}
	}
}
