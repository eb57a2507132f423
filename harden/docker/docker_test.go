package docker

import (
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/immure-dev/immure/harden"
	"github.com/immure-dev/immure/harden/grant"
	"github.com/immure-dev/immure/harden/order"
)

var update = flag.Bool("update", false, "rewrite the files in testdata")

const image = "registry.example/hello@sha256:0000000000000000000000000000000000000000000000000000000000000000"

func hello(t *testing.T) harden.Boundary {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", "hello.boundary.json"))
	if err != nil {
		t.Fatal(err)
	}
	b, err := harden.Decode(data)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestGolden(t *testing.T) {
	got, err := Script(hello(t), image)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join("testdata", "hello.sh")
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s differs: got\n%s", file, got)
	}
}

func TestFlags(t *testing.T) {
	for _, c := range []struct {
		want string
		edit func(*harden.Boundary)
	}{
		{"--network=none", func(b *harden.Boundary) { b.Network.Listen = order.Of[grant.Port]() }},
		{"--network=host", func(b *harden.Boundary) { b.Namespaces.Network = "host" }},
		{"--pid=host", func(b *harden.Boundary) { b.Namespaces.PID = "host" }},
		{"--ipc=private", func(b *harden.Boundary) { b.Namespaces.IPC = "pod" }},
		{"--cap-add=CHOWN", func(b *harden.Boundary) { b.Capabilities.Bounding = order.Of[grant.Name]("CAP_CHOWN") }},
		{"--security-opt=seccomp=unconfined", func(b *harden.Boundary) { b.Syscalls = harden.Unconfined() }},
		{"--security-opt=apparmor=immure-hello", func(b *harden.Boundary) { b.AppArmor = "enforce immure-hello" }},
		{"--memory-swap=67108874", func(b *harden.Boundary) { b.Resources.SwapMaxBytes = order.AtMost(10) }},
		{"--cpus=1.050", func(b *harden.Boundary) { b.Resources.CPUMaxMillis = order.AtMost(1050) }},
		{"--ulimit=nofile=7:-1", func(b *harden.Boundary) {
			b.Rlimits = b.Rlimits.With("RLIMIT_NOFILE", grant.Rlimit{Soft: order.AtMost(7), Hard: order.Unlimited()})
		}},
		{"--mount=type=bind,source=/srv,target=/srv,readonly", func(b *harden.Boundary) {
			s := grant.NewSlot("/srv", "bind", "ro")
			s.Source = "/srv"
			b.Mounts = b.Mounts.With(s)
		}},
	} {
		b := hello(t)
		c.edit(&b)
		args, err := RunFlags(b, image)
		if err != nil || !slices.Contains(args, c.want) {
			t.Errorf("%s is not among %q, %v", c.want, args, err)
		}
	}
}

func TestRefuses(t *testing.T) {
	for want, edit := range map[string]func(*harden.Boundary){
		"not stated":            func(b *harden.Boundary) { b.Rootfs = "" },
		"list the capabilities": func(b *harden.Boundary) { b.Capabilities.Bounding = order.AnySet[grant.Name]() },
		"together with":         func(b *harden.Boundary) { b.Resources.MemoryMaxBytes = order.Unlimited() },
		"for none":              func(b *harden.Boundary) { b.Resources.PIDsMax = order.AtMost(0) },
		"single devices":        func(b *harden.Boundary) { b.Resources.IOMaxBytesPerSecond = order.AtMost(1) },
		"RLIMIT_AS": func(b *harden.Boundary) {
			b.Rlimits = b.Rlimits.With("RLIMIT_AS", grant.Rlimit{Soft: order.AtMost(1), Hard: order.AtMost(1)})
		},
		"no comma": func(b *harden.Boundary) { b.Mounts = b.Mounts.With(grant.NewSlot("/a,b", "tmpfs")) },
		"SELinux":  func(b *harden.Boundary) { b.SELinux.Process = "a:b:c:d" },
	} {
		b := hello(t)
		edit(&b)
		if _, err := RunFlags(b, image); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("want an error with %q, got %v", want, err)
		}
	}
	for _, image := range []string{"", "--privileged", "a b"} {
		if _, err := RunFlags(hello(t), image); err == nil {
			t.Errorf("image %q is taken", image)
		}
	}
}

// TestQuote has a real shell read what was quoted.
func TestQuote(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		words := rapid.SliceOfN(rapid.StringMatching(`[a-z '"$\\*;&|<>()!#~\n-]{0,8}`), 1, 8).Draw(t, "words")
		script := "printf '%s\\0'"
		for _, w := range words {
			script += " " + quote(w)
		}
		out, err := exec.Command("sh", "-c", script).Output()
		if err != nil {
			t.Fatal(err)
		}
		if got, want := string(out), strings.Join(words, "\x00")+"\x00"; got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	})
}
