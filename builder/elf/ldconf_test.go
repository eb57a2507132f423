package elf

import (
	"bytes"
	"cmp"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestConfiguredDirectories(t *testing.T) {
	w := debian(world{
		"/etc/ld.so.conf":                []byte("# first\ninclude ld.so.conf.d/*.conf\n/opt/last # why\n"),
		"/etc/ld.so.conf.d/b.conf":       []byte("/opt/b,/opt/c\n/lib/x86_64-linux-gnu\n"),
		"/etc/ld.so.conf.d/a.conf":       []byte("hwcap 0 nosegneg\n/opt/missing\n"),
		"/etc/ld.so.conf.d/.hidden.conf": []byte("/opt/hidden\n"),
		"/etc/ld.so.conf.d/c.off":        []byte("/opt/hidden\n"),
		"/opt/hidden/liba.so":            lib(),
		"/opt/c/liba.so":                 lib(),
		"/opt/last/liba.so":              lib(),
		"/usr/lib/liba.so":               lib(),
		"/usr/bin/p":                     prog(needs("liba.so", "libc.so.6")...),
	})
	r, err := Closure(w.source(t), "/usr/bin/p", Options{Arch: "amd64"})
	if err != nil {
		t.Fatal(err)
	}
	if want := []string{"/opt/c/liba.so", "/usr/lib/x86_64-linux-gnu/libc.so.6"}; !slices.Equal(r.Needed, want) {
		t.Errorf("needed: got %q, want %q", r.Needed, want)
	}
	// Outside the default directories ld.so needs a cache, and only there.
	if !bytes.Contains(r.Cache, []byte("/opt/c/liba.so\x00")) || bytes.Contains(r.Cache, []byte("libc.so.6")) {
		t.Errorf("cache: got %q", r.Cache)
	}
}

func TestConfigurationRefused(t *testing.T) {
	for want, conf := range map[string]string{
		"not an absolute directory":  "lib\n",
		"wildcards in a directory":   "include /etc/*/x.conf\n",
		"syntax error in pattern":    "include /etc/[\n",
		"more than 256 files":        "include /etc/ld.so.conf\n",
		"more than 1024 of them":     strings.Repeat("/a\n", 1025),
		"regular file of at most 65": strings.Repeat("\n", 1<<16+1),
	} {
		w := debian(world{"/usr/bin/p": prog(), "/etc/ld.so.conf": []byte(conf)})
		_, err := Closure(w.source(t), "/usr/bin/p", Options{Arch: "amd64"})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
}

func TestMusl(t *testing.T) {
	const ld = "/lib/ld-musl-x86_64.so.1"
	w := world{
		ld:                           lib(),
		"/usr/bin/p":                 image{interp: ld, dyn: needs("libc.so", "libm.so.6", "liba.so")},
		"/usr/local/lib/liba.so":     lib(),
		"/usr/lib/liba.so":           lib(),
		"/opt/liba.so":               lib(),
		"/lib/x86_64-linux-gnu/none": []byte("x"),
	}
	need := func() string {
		t.Helper()
		r, err := Closure(w.source(t), "/usr/bin/p", Options{Arch: "amd64"})
		if err != nil {
			t.Fatal(err)
		}
		if len(w) > 6 && !slices.Contains(paths(r), "/etc/ld-musl-x86_64.path") {
			t.Errorf("search path file not kept: %q", paths(r))
		}
		return strings.Join(r.Needed, " ")
	}
	if got := need(); got != "/usr/local/lib/liba.so" {
		t.Errorf("default path: got %s", got)
	}
	w["/etc/ld-musl-x86_64.path"] = []byte("/nowhere:/opt\n")
	if got := need(); got != "/opt/liba.so" {
		t.Errorf("own path: got %s", got)
	}
}

// The cache is read back by ldconfig, which belongs to every glibc system.
func TestCacheAgainstLdconfig(t *testing.T) {
	ldconfig, err := exec.LookPath("ldconfig")
	if err != nil {
		ldconfig = "/sbin/ldconfig"
	}
	file := filepath.Join(t.TempDir(), "ld.so.cache")
	b := cache(map[string]string{"liba.so.2": "/opt/liba.so.2", "liba.so.10": "/opt/liba.so.10", "libz.so": "/opt/libz.so"}, 0x0303)
	if err := os.WriteFile(file, b, 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command(ldconfig, "-p", "-C", file).CombinedOutput()
	if err != nil {
		t.Fatalf("ldconfig: %v: %s", err, out)
	}
	var got []string
	for _, line := range strings.Split(string(out), "\n")[1:] {
		if f := strings.Fields(line); len(f) > 2 && f[len(f)-2] == "=>" {
			got = append(got, f[len(f)-1])
		}
	}
	if want := []string{"/opt/libz.so", "/opt/liba.so.10", "/opt/liba.so.2"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q, from\n%s", got, want, out)
	}
}

func TestCompareNamesIsAnOrder(t *testing.T) {
	name := rapid.StringMatching(`lib[a-c0-9.]{0,5}`)
	rapid.Check(t, func(t *rapid.T) {
		a, b, c := name.Draw(t, "a"), name.Draw(t, "b"), name.Draw(t, "c")
		sign := func(a, b string) int { return cmp.Compare(compareNames(a, b), 0) }
		if sign(a, a) != 0 || sign(a, b) != -sign(b, a) {
			t.Errorf("%q, %q: %d and %d", a, b, sign(a, b), sign(b, a))
		}
		if sign(a, b) <= 0 && sign(b, c) <= 0 && sign(a, c) > 0 {
			t.Errorf("%q <= %q <= %q is not transitive", a, b, c)
		}
	})
}

// FuzzConf holds that no ld.so.conf makes its reader panic, loop or give a
// directory that is not absolute.
func FuzzConf(f *testing.F) {
	f.Add([]byte("include ld.so.conf.d/*.conf\n/opt/a:/opt/b # c\n"))
	f.Add([]byte("include /etc/ld.so.conf\n"))
	f.Add([]byte("hwcap 1 x\n[\ninclude [\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		w := world{"/etc/ld.so.conf": b, "/etc/ld.so.conf.d/a.conf": b}
		r := confReader{src: w.source(t)}
		err := r.file("/etc/ld.so.conf")
		if err == nil && (len(r.dirs) > maxConfDirs || r.files > maxConfFiles) {
			t.Fatalf("%d directories of %d files", len(r.dirs), r.files)
		}
		for _, d := range r.dirs {
			if d[0] != '/' {
				t.Fatalf("directory %q", d)
			}
		}
	})
}
