//go:build e2e

package hostile_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/immure-dev/immure/attest"
	"github.com/immure-dev/immure/attest/keys"
	"github.com/immure-dev/immure/internal/oci/content"
	"github.com/immure-dev/immure/internal/oci/layout"
	"github.com/immure-dev/immure/verify/image"
)

// patience is what no invocation may take: far more than any needs, so that a
// slow machine fails nothing and an endless wait is seen.
const patience = 2 * time.Minute

// scratch is the directory of this run of the tests.
var scratch string

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "immure-hostile-*")
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

// program is bin/immure, as `make build` left it.
var program = sync.OnceValues(func() (string, error) {
	path, err := filepath.Abs("../../bin/immure")
	if err != nil {
		return "", err
	}
	if _, err := os.Stat(path); err != nil {
		return "", fmt.Errorf("%w: run make build", err)
	}
	return path, nil
})

// A result is how an invocation ended.
type result struct {
	status         int
	stdout, stderr string
}

// immure runs the program to its end.
func immure(tb testing.TB, args ...string) result {
	tb.Helper()
	return immureIn(tb, nil, "", args...)
}

// immureIn is immure with more environment and a standard input.
func immureIn(tb testing.TB, env []string, stdin string, args ...string) result {
	tb.Helper()
	ctx, cancel := context.WithTimeout(tb.Context(), patience)
	defer cancel()
	cmd := command(tb, ctx, args...)
	cmd.Env = append(cmd.Env, env...)
	cmd.Stdin = strings.NewReader(stdin)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	err := cmd.Run()
	var exit *exec.ExitError
	switch {
	case ctx.Err() != nil:
		tb.Fatalf("immure %q had not ended after %v:\n%s", args, patience, errs.String())
	case err != nil && !errors.As(err, &exit):
		tb.Fatal(err)
	}
	r := result{cmd.ProcessState.ExitCode(), out.String(), errs.String()}
	if r.status < 0 || strings.Contains(r.stderr, "panic:") || strings.Contains(r.stderr, "goroutine ") || strings.Contains(r.stderr, "fatal error:") {
		tb.Fatalf("immure %q: %v, it broke:\n%s", args, cmd.ProcessState, r.stderr)
	}
	return r
}

// command prepares the program without the user's own settings.
func command(tb testing.TB, ctx context.Context, args ...string) *exec.Cmd {
	tb.Helper()
	path, err := program()
	if err != nil {
		tb.Fatal(err)
	}
	cmd := exec.CommandContext(ctx, path, args...)
	cmd.Env = append(os.Environ(), "COSIGN_PASSWORD=", "DOCKER_CONFIG="+scratch, "REGISTRY_AUTH_FILE="+filepath.Join(scratch, "none"))
	return cmd
}

// allowed wants status 0.
func (r result) allowed(tb testing.TB) {
	tb.Helper()
	if r.status != 0 {
		tb.Fatalf("got status %d, want 0:\n%s", r.status, r.stderr)
	}
}

// refused wants a status, 1 or 2, every word on standard error, one line for
// each reason, and nothing on standard output that says otherwise.
func (r result) refused(tb testing.TB, status int, words ...string) {
	tb.Helper()
	if r.status != status {
		tb.Errorf("got status %d, want %d:\n%s%s", r.status, status, r.stdout, r.stderr)
	}
	for _, w := range words {
		if !strings.Contains(r.stderr, w) {
			tb.Errorf("want %q in:\n%s", w, r.stderr)
		}
	}
	if strings.Contains(r.stdout, "verified:") || strings.Contains(r.stdout, "allowed:") {
		tb.Errorf("printed %s", r.stdout)
	}
	for line := range strings.Lines(r.stderr) {
		if !strings.HasPrefix(line, "immure: ") {
			tb.Errorf("a line that says not who speaks: %q", line)
		}
	}
}

// A fixture is an image that immure built and sealed, with everything that an
// attacker knows of it, and the key that an attacker has not.
type fixture struct {
	img       v1.Image
	raw       []byte
	predicate attest.Predicate
	key       keys.PrivateKey
	public    string // file
	dir       string // layout
}

// ref names the fixture itself.
func (f *fixture) ref() string { return "oci:" + f.dir }

func (f *fixture) verify(tb testing.TB, ref string, more ...string) result {
	tb.Helper()
	return immure(tb, append([]string{"verify", ref, "--key", f.public}, more...)...)
}

// signers are two keys: the trusted one and a stranger's.
var signers = sync.OnceValues(func() ([2]keys.PrivateKey, error) {
	var made [2]keys.PrivateKey
	for i, kind := range []keys.Kind{keys.ECDSA, keys.Ed25519} {
		key, err := keys.Generate(kind)
		if err != nil {
			return made, err
		}
		base := filepath.Join(scratch, []string{"trusted", "stranger"}[i])
		if err := keys.WriteFiles(base+".key", base+".pub", key, nil, true); err != nil {
			return made, err
		}
		made[i] = key
	}
	return made, nil
})

func trusted(tb testing.TB) keys.PrivateKey {
	tb.Helper()
	made, err := signers()
	if err != nil {
		tb.Fatal(err)
	}
	return made[0]
}

func stranger(tb testing.TB) keys.PrivateKey {
	tb.Helper()
	trusted(tb)
	made, _ := signers() // trusted has seen the error
	return made[1]
}

// fixtures builds each image once, by the path of its service file.
var fixtures sync.Map

func build(tb testing.TB, file string) *fixture {
	tb.Helper()
	once, _ := fixtures.LoadOrStore(file, sync.OnceValue(func() *fixture {
		f := &fixture{key: trusted(tb), public: filepath.Join(scratch, "trusted.pub")}
		f.dir = filepath.Join(scratch, strings.NewReplacer("/", "-", ".", "-").Replace(file))
		immure(tb, "build", "-f", file, "--key", filepath.Join(scratch, "trusted.key"), "-o", f.dir).allowed(tb)
		l, err := layout.Open(f.dir) // kept open: layers are read from it
		must(tb, err)
		h, err := l.Image(context.Background(), v1.Hash{})
		must(tb, err)
		f.img, err = content.Image(context.Background(), l, h)
		must(tb, err)
		f.raw, err = f.img.RawManifest()
		must(tb, err)
		p, err := image.Claimed(f.img)
		must(tb, err)
		f.predicate = *p
		return f
	}))
	f := once.(func() *fixture)()
	if f.raw == nil {
		tb.Fatalf("%s was not built", file)
	}
	return f
}

// service is the fixture that runs.
func service(tb testing.TB) *fixture {
	tb.Helper()
	return build(tb, "testdata/service/immure.yaml")
}

func must(tb testing.TB, err error) {
	tb.Helper()
	if err != nil {
		tb.Fatal(err)
	}
}
