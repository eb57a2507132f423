package debian

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/immure-dev/immure/internal/rootfs"
)

// unpackBytes puts the bytes of each .deb into a cache and unpacks them.
func unpackBytes(t *testing.T, debs map[*deb][]byte) (*Root, error) {
	t.Helper()
	opts := Options{CacheDir: t.TempDir()}
	lock := &Lock{LockVersion: lockVersion, Architecture: "amd64"}
	for d, b := range debs {
		p := d.locked(b)
		if err := os.WriteFile(debCache(opts.CacheDir).path(p), b, 0o600); err != nil {
			t.Fatal(err)
		}
		lock.Packages = append(lock.Packages, p)
		lock.Requested = append(lock.Requested, d.name)
	}
	slices.SortFunc(lock.Packages, func(a, b Package) int { return strings.Compare(a.Name, b.Name) })
	slices.Sort(lock.Requested)
	return Unpack(t.Context(), lock, spool(t), opts)
}

func unpackDebs(t *testing.T, debs ...*deb) (*Root, error) {
	t.Helper()
	all := make(map[*deb][]byte)
	for _, d := range debs {
		all[d] = d.bytes()
	}
	return unpackBytes(t, all)
}

func pkg(name string) *deb { return &deb{name: name, version: "1"} }

func TestMergedUsr(t *testing.T) {
	root, err := unpackDebs(t,
		pkg("aa").dir("/lib").dir("/lib/arch").file("/lib/arch/liba.so.1", "a").link("/lib64/ld.so", "/lib/arch/ld.so"),
		pkg("bb").dir("/usr/lib/arch").file("/usr/lib/arch/libb.so", "b").file("/bin/sh", "sh").link("/usr/bin/sh", "/bin/sh"),
		pkg("cc").link("/var/run", "/run").dir("/run"),
		pkg("dd").dir("/var/run").file("/var/run/dd", "d").link("/sbin/dd", "../bin/sh"),
	)
	if err != nil {
		t.Fatal(err)
	}
	if err := root.Tree.Check(); err != nil {
		t.Error(err)
	}
	for p, want := range map[string]string{
		"/usr/lib/arch/liba.so.1": "aa", "/usr/lib64/ld.so": "aa", "/usr/lib/arch/libb.so": "bb",
		"/usr/bin/sh": "bb", "/run/dd": "dd", "/usr/sbin/dd": "dd", "/var/run": "cc", "/lib": "",
	} {
		if root.Tree.Get(p) == nil || root.Owner(p) != want {
			t.Errorf("%s: got %v of %q, want one of %q", p, root.Tree.Get(p), root.Owner(p), want)
		}
	}
	for _, p := range []string{"/lib", "/lib64", "/bin", "/sbin", "/var/run"} {
		if n := root.Tree.Get(p); n == nil || n.Type != rootfs.Symlink {
			t.Errorf("%s is no longer a link: %v", p, n)
		}
	}
	if got := content(t, root.Tree, "/usr/bin/sh"); got != "sh" {
		t.Errorf("/usr/bin/sh: got %q", got)
	}
}

func TestMetadataIsKept(t *testing.T) {
	root, err := unpackDebs(t, pkg("aa").
		entry(tar.Header{Name: "./usr/bin/su", Typeflag: tar.TypeReg, Mode: 0o4755}, "su").
		entry(tar.Header{Name: "./usr/bin/su2", Typeflag: tar.TypeLink, Linkname: "./usr/bin/su", Mode: 0o4755}, "").
		entry(tar.Header{Name: "./var/mail/", Typeflag: tar.TypeDir, Mode: 0o2775, Gid: 8}, "").
		link("/etc/out", "/../../../etc/passwd"))
	if err != nil {
		t.Fatal(err)
	}
	su, mail := root.Tree.Get("/usr/bin/su2"), root.Tree.Get("/var/mail")
	if su == nil || su.Mode != 0o4755 || content(t, root.Tree, "/usr/bin/su2") != "su" {
		t.Errorf("hard link: got %+v", su)
	}
	if mail == nil || mail.Mode != 0o2775 || mail.GID != 8 {
		t.Errorf("directory: got %+v", mail)
	}
	if n := root.Tree.Get("/etc/out"); n == nil || n.Target != "/../../../etc/passwd" {
		t.Errorf("absolute link: got %+v", n)
	}
}

func TestTwoPackagesOneFile(t *testing.T) {
	replacing := func(name, over string) *deb {
		d := pkg(name)
		d.fields = "Replaces: x (<< 2), " + over + " (<< 1.2~), y\n"
		return d
	}
	for _, test := range []struct {
		name string
		debs []*deb
		want string // owner of /f, or the error
	}{
		{"same file", []*deb{pkg("aa").file("/f", "1"), pkg("bb").file("/f", "1")}, "aa"},
		{"first replaces", []*deb{replacing("aa", "bb").file("/f", "1"), pkg("bb").file("/f", "2")}, "aa"},
		{"second replaces", []*deb{pkg("aa").file("/f", "1"), replacing("bb", "aa").file("/f", "2")}, "bb"},
		{"both replace", []*deb{replacing("aa", "bb").file("/f", "1"), replacing("bb", "aa").file("/f", "2")}, "packages aa and bb both have it"},
		{"none replaces", []*deb{pkg("aa").file("/f", "1"), pkg("bb").file("/f", "2")}, "packages aa and bb both have it"},
		{"file and directory", []*deb{pkg("aa").file("/f", "1"), pkg("bb").dir("/f")}, "packages aa and bb both have it"},
		{"directory and link", []*deb{pkg("aa").dir("/f"), pkg("bb").link("/f", "/usr")}, "packages aa and bb both have it"},
		{"beneath a file", []*deb{pkg("aa").file("/f", "1"), pkg("bb").dir("/f").file("/f/g", "1")}, "both have it"},
		{"through a link to a file", []*deb{pkg("aa").file("/g", "1").link("/f", "g"), pkg("bb").file("/f/h", "1")}, "both have it"},
		{"a base directory as a file", []*deb{pkg("aa").file("/lib", "1")}, "packages the base system and aa both have it"},
	} {
		t.Run(test.name, func(t *testing.T) {
			root, err := unpackDebs(t, test.debs...)
			if err == nil && root.Owner("/f") != test.want {
				t.Errorf("got owner %q, want %q", root.Owner("/f"), test.want)
			}
			if err != nil && !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v, want %q", err, test.want)
			}
		})
	}
}

func TestHostileArchives(t *testing.T) {
	good := pkg("aa").file("/usr/bin/aa", strings.Repeat("a", 100_000))
	whole := good.bytes()
	data := bytes.LastIndex(whole, []byte("data.tar"))
	absurd := bytes.Clone(whole)
	copy(absurd[data+48:], "9999999999")
	other := pkg("bb")
	other.version = "2"
	for name, test := range map[string]struct {
		deb   *deb
		bytes []byte
		want  string
	}{
		"dot dot":            {deb: pkg("aa").file("/../etc/passwd", "x"), want: `contains ".."`},
		"dot dot hard link":  {deb: pkg("aa").entry(tar.Header{Name: "./x", Typeflag: tar.TypeLink, Linkname: "../../etc/passwd"}, ""), want: `contains ".."`},
		"through own link":   {deb: pkg("aa").link("/d", "/etc").file("/d/passwd", "x"), want: "not a directory"},
		"truncated":          {deb: good, bytes: whole[:len(whole)-50_000], want: "dpkg-deb"},
		"only a header":      {deb: good, bytes: whole[:8], want: "dpkg-deb"},
		"not an archive":     {deb: good, bytes: []byte("hello, this is no archive"), want: "dpkg-deb"},
		"absurd member":      {deb: good, bytes: absurd, want: "dpkg-deb"},
		"another's control":  {deb: good, bytes: other.bytes(), want: `control file is of ["bb" "2" "all"], want ["aa" "1" "all"]`},
		"a link in a circle": {deb: pkg("aa").link("/d", "d").dir("/usr"), want: ""},
	} {
		t.Run(name, func(t *testing.T) {
			b := test.bytes
			if b == nil {
				b = test.deb.bytes()
			}
			_, err := unpackBytes(t, map[*deb][]byte{test.deb: b})
			if test.want == "" && err != nil || test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)) {
				t.Errorf("got %v, want %q", err, test.want)
			}
			if err != nil && strings.Contains(err.Error(), "\n") {
				t.Errorf("error has several lines: %v", err)
			}
		})
	}
}

func TestUnpackLimits(t *testing.T) {
	d, e := pkg("aa").file("/a", "12345"), pkg("bb").file("/b", "12345")
	opts := Options{CacheDir: t.TempDir()}
	lock := &Lock{
		LockVersion: lockVersion, Architecture: "amd64", Requested: []string{"aa"},
		Packages: []Package{d.locked(d.bytes()), e.locked(e.bytes())},
	}
	for i, b := range [][]byte{d.bytes(), e.bytes()} {
		if err := os.WriteFile(debCache(opts.CacheDir).path(lock.Packages[i]), b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for bytes, want := range map[int64]string{4: "unpack package aa", 9: "unpack package bb 1: all packages so far", 10: ""} {
		opts.Limits = rootfs.DefaultLimits
		opts.Limits.Bytes = bytes
		_, err := Unpack(t.Context(), lock, spool(t), opts)
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("limit of %d bytes: got %v, want %q", bytes, err, want)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Unpack(ctx, lock, spool(t), opts); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: got %v", err)
	}
}
