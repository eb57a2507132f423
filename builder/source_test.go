package builder

import (
	"archive/tar"
	"bytes"
	"encoding/binary"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/immure-dev/immure/builder/elf"
	"github.com/immure-dev/immure/internal/rootfs"
)

// aProgram is a dynamic program that every machine with coreutils has.
const aProgram = "/usr/bin/sleep"

func TestBinary(t *testing.T) {
	dir := t.TempDir()
	data, err := os.ReadFile(aProgram)
	if err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(dir, "out/napper"), string(data), 0o700)
	write(t, filepath.Join(dir, "napper.conf"), "long", 0o600)
	r := mustBuild(t, dir, `service: napper
from: {binary: ./out/napper}
run: {args: [/usr/bin/napper, "1"]}
boundary: {files: {add: [{from: napper.conf, to: /etc/napper/napper.conf}]}}
`)
	if n := r.Tree.Get("/usr/bin/napper"); n == nil || n.Mode != 0o555 || n.UID != 0 {
		t.Errorf("program is %+v", n)
	}
	if n := r.Tree.Get("/etc/napper/napper.conf"); n == nil || n.Mode != 0o444 {
		t.Errorf("added file is %+v", n)
	}
	libc := false
	for n := range r.Tree.All() {
		libc = libc || strings.HasPrefix(filepath.Base(n.Path), "libc.so") || strings.HasPrefix(filepath.Base(n.Path), "libc-")
		for _, no := range []string{"/bin/sh", "/usr/bin/sh", "/usr/bin/dpkg", "/etc/shadow"} {
			if n.Path == no {
				t.Errorf("%s is in the image", no)
			}
		}
	}
	if !libc {
		t.Error("no C library in the image")
	}
	rights := r.Pair.Service.FileRights
	for _, want := range []string{"execute /usr/bin/napper", "read /etc/napper/napper.conf"} {
		if !strings.Contains(rights.String(), want) {
			t.Errorf("rights %s lack %q", rights, want)
		}
	}
}

// aRootfs puts a program and its libraries into dir.
func aRootfs(t *testing.T, dir string) {
	t.Helper()
	host, err := elf.FromHost("/")
	if err != nil {
		t.Fatal(err)
	}
	defer host.Close()
	c, err := elf.Closure(host, aProgram, elf.Options{})
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range c.Files {
		at := filepath.Join(dir, f.Path)
		switch f.Node.Type {
		case rootfs.Regular:
			data, err := os.ReadFile(f.Path)
			if err != nil {
				t.Fatal(err)
			}
			write(t, at, string(data), 0o755)
		case rootfs.Symlink:
			link(t, f.Node.Target, at)
		}
	}
}

func link(t *testing.T, target, at string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(at), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(target, at); err != nil {
		t.Fatal(err)
	}
}

const sleepYAML = `service: sleep
from: {rootfs: ./rootfs}
run: {args: [/usr/bin/sleep, "1"]}
`

func TestRootfs(t *testing.T) {
	const conf = sleepYAML + "boundary: {files: {read: [/etc/sleep]}}\n"
	// edit the right root file system, and what that is told
	for name, c := range map[string]struct {
		edit func(t *testing.T, root string)
		yaml string
		want string
	}{
		"right": {func(*testing.T, string) {}, sleepYAML, ""},
		"unexplained": {func(t *testing.T, root string) {
			write(t, root+"/usr/bin/curl", "", 0o755)
			write(t, root+"/opt/x", "", 0o644)
		}, sleepYAML, "nothing asks for /opt/x, /usr/bin/curl: state"},
		"unexplained link": {func(t *testing.T, root string) { link(t, "sleep", root+"/usr/bin/wait") }, sleepYAML, "nothing asks for /usr/bin/wait"},
		"many unexplained": {func(t *testing.T, root string) {
			for _, n := range strings.Split("abcdefghijkl", "") {
				write(t, root+"/x/"+n, "", 0o644)
			}
		}, sleepYAML, "and 2 more"},
		"read":           {func(t *testing.T, root string) { write(t, root+"/etc/sleep/conf", "1", 0o644) }, conf, ""},
		"not there":      {func(*testing.T, string) {}, conf, "/etc/sleep: not among the files"},
		"setuid":         {func(t *testing.T, root string) { write(t, root+"/etc/sleep/su", "", 0o755|os.ModeSetuid) }, conf, "setuid /etc/sleep/su"},
		"setuid waived":  {func(t *testing.T, root string) { write(t, root+"/etc/sleep/su", "", 0o755|os.ModeSetuid) }, conf + "waivers: [{facet: user.uid, grant: setuid /etc/sleep/su, reason: test, expires: 2030-01-01}]\n", ""},
		"setgid":         {func(t *testing.T, root string) { write(t, root+"/etc/sleep/sg", "", 0o755|os.ModeSetgid) }, conf, "setgid /etc/sleep/sg"},
		"world-writable": {func(t *testing.T, root string) { write(t, root+"/etc/sleep/w", "", 0o666) }, conf, "anyone may write"},
		"unreadable":     {func(t *testing.T, root string) { write(t, root+"/etc/sleep/w", "", 0o600) }, conf, "cannot read it"},
		"pipe": {func(t *testing.T, root string) {
			if err := os.MkdirAll(root+"/etc/sleep", 0o755); err != nil {
				t.Fatal(err)
			}
			if err := syscall.Mkfifo(root+"/etc/sleep/p", 0o644); err != nil {
				t.Fatal(err)
			}
		}, conf, "named pipe has no place"},
		"link out":        {func(t *testing.T, root string) { link(t, "../../../etc/shadow", root+"/etc/sleep/l") }, conf, "leads out of the tree"},
		"link in circles": {func(t *testing.T, root string) { link(t, "l", root+"/etc/sleep/l") }, conf, "more than 40 symbolic links"},
		"link to root":    {func(t *testing.T, root string) { link(t, "/", root+"/etc/sleep/l") }, conf, "that is the whole source"},
		"link within": {func(t *testing.T, root string) {
			link(t, "/opt/data", root+"/etc/sleep/l")
			write(t, root+"/opt/data/x", "", 0o644)
		}, conf, ""},
		"dangling link": {func(t *testing.T, root string) { link(t, "/proc/self/mounts", root+"/etc/sleep/l") }, conf, ""},
		"missing library": {func(t *testing.T, root string) {
			libs, err := filepath.Glob(root + "/*lib/x86_64-linux-gnu/libc.so.6")
			more, err2 := filepath.Glob(root + "/usr/lib/x86_64-linux-gnu/libc.so.6")
			if err != nil || err2 != nil || len(libs)+len(more) == 0 {
				t.Fatalf("no C library found: %v %v", err, err2)
			}
			for _, l := range append(libs, more...) {
				os.Remove(l)
			}
		}, sleepYAML, "libc.so.6"},
		"wrong architecture":      {func(t *testing.T, root string) { patch(t, root+aProgram, 18, 183) }, sleepYAML, "found 64-bit little-endian AARCH64"},
		"executable stack":        {execStack, sleepYAML, "needs a waiver"},
		"executable stack waived": {execStack, sleepYAML + "waivers: [{facet: memoryProtection.executableStack, grant: allowed, reason: test, expires: 2030-01-01}]\n", ""},
		"everything": {func(t *testing.T, root string) { write(t, root+"/opt/x", "", 0o644); link(t, "/opt", root+"/o") }, sleepYAML +
			"boundary: {files: {read: any}}\nwaivers: [{facet: fileRights, grant: read /, reason: test, expires: 2030-01-01}]\n", ""},
		"mount over libraries":     {func(*testing.T, string) {}, sleepYAML + "boundary: {mounts: [{at: /usr/lib, kind: volume}]}\n", "would hide /usr/lib/"},
		"no program":               {func(t *testing.T, root string) { os.Remove(root + aProgram) }, sleepYAML, "no such file"},
		"script":                   {func(t *testing.T, root string) { write(t, root+aProgram, "#!/bin/sh\n", 0o755) }, sleepYAML, "a script"},
		"scratch where a link was": {func(t *testing.T, root string) { link(t, "/run", root+"/var/run") }, sleepYAML + "boundary: {files: {read: [/var/run], scratch: [/var/run]}}\n", ""},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			aRootfs(t, filepath.Join(dir, "rootfs"))
			c.edit(t, filepath.Join(dir, "rootfs"))
			r, err := buildIn(t, dir, c.yaml)
			switch {
			case c.want == "" && err != nil:
				t.Error(err)
			case c.want == "":
				if strings.Contains(c.yaml, "waivers") != (len(r.Waivers) == 1) {
					t.Errorf("waivers %v", r.Waivers)
				}
			case err == nil || !strings.Contains(err.Error(), c.want) || !strings.HasPrefix(err.Error(), "immure.yaml:"):
				t.Errorf("%v, want %q", err, c.want)
			}
		})
	}
}

// patch writes a little-endian 16-bit number into a file.
func patch(t *testing.T, name string, off int, v uint16) {
	t.Helper()
	data, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	binary.LittleEndian.PutUint16(data[off:], v)
	write(t, name, string(data), 0o755)
}

// execStack sets PF_X in PT_GNU_STACK. Source: elf(5).
func execStack(t *testing.T, root string) {
	t.Helper()
	data, err := os.ReadFile(root + aProgram)
	if err != nil {
		t.Fatal(err)
	}
	order := binary.LittleEndian
	off, size, count := order.Uint64(data[32:]), uint64(order.Uint16(data[54:])), uint64(order.Uint16(data[56:]))
	for i := range count {
		p := data[off+i*size:]
		if order.Uint32(p) == 0x6474e551 {
			order.PutUint32(p[4:], 7)
			write(t, root+aProgram, string(data), 0o755)
			return
		}
	}
	t.Fatal("no PT_GNU_STACK")
}

// anImage holds a program with its libraries and more, in one layer.
func anImage(t *testing.T) v1.Image {
	t.Helper()
	dir := t.TempDir()
	aRootfs(t, dir)
	write(t, dir+"/usr/bin/curl", "not needed", 0o755)
	write(t, dir+"/etc/sleep.conf", "1", 0o644)
	tree, err := rootfs.ReadDir(dir, rootfs.DefaultLimits)
	if err != nil {
		t.Fatal(err)
	}
	defer tree.Close()
	tree.Chown(0, 0)
	var buf bytes.Buffer
	if err := tree.WriteLayer(&buf, now); err != nil {
		t.Fatal(err)
	}
	return imageOf(t, buf.Bytes())
}

func imageOf(t *testing.T, layer []byte) v1.Image {
	t.Helper()
	img, err := mutate.AppendLayers(mutate.MediaType(empty.Image, types.OCIManifestSchema1), static.NewLayer(layer, types.OCIUncompressedLayer))
	if err != nil {
		t.Fatal(err)
	}
	c, err := img.ConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	c = c.DeepCopy()
	c.OS, c.Architecture = "linux", "amd64"
	if img, err = mutate.ConfigFile(img, c); err != nil {
		t.Fatal(err)
	}
	return img
}

func TestFromImage(t *testing.T) {
	img := anImage(t)
	dir := t.TempDir()
	if err := tarball.WriteToFile(filepath.Join(dir, "docker.tar"), name.MustParseReference("example/sleep:1"), img); err != nil {
		t.Fatal(err)
	}
	l, err := layout.Write(filepath.Join(dir, "layout"), empty.Index)
	if err != nil {
		t.Fatal(err)
	}
	if err := l.AppendImage(img); err != nil {
		t.Fatal(err)
	}
	archive(t, filepath.Join(dir, "layout"), filepath.Join(dir, "oci.tar"))
	var first v1.Hash
	for _, ref := range []string{"docker-archive:docker.tar", "oci:layout", "oci-archive:oci.tar"} {
		r := mustBuild(t, dir, `service: sleep
from: {image: "`+ref+`"}
run: {args: [/usr/bin/sleep, "1"]}
boundary: {files: {read: [/etc/sleep.conf]}}
`)
		if r.Tree.Get("/usr/bin/curl") != nil || r.Tree.Get("/etc/sleep.conf") == nil {
			t.Errorf("%s: keeps the wrong files", ref)
		}
		if r.Unminimised.Files <= r.Minimised.Files-3 || r.SourceDigest == "" {
			t.Errorf("%s: %v of %v, digest %q", ref, r.Minimised, r.Unminimised, r.SourceDigest)
		}
		if d := digest(t, r, nil); first == (v1.Hash{}) {
			first = d
		} else if d != first {
			t.Errorf("%s gives %s, not %s", ref, d, first)
		}
	}
}

// archive packs a directory as a tar file.
func archive(t *testing.T, dir, out string) {
	t.Helper()
	var buf bytes.Buffer
	w := tar.NewWriter(&buf)
	if err := w.AddFS(os.DirFS(dir)); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	write(t, out, buf.String(), 0o644)
}
