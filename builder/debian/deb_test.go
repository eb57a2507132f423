package debian

import (
	"archive/tar"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/immure-dev/immure/internal/rootfs"
)

// A deb describes a .deb for a test.
type deb struct {
	name, version string
	fields        string // further control fields, each with its line end
	files         []tar.Header
	content       map[string]string
}

// file is a regular file of mode 0644.
func (d *deb) file(name, content string) *deb {
	return d.entry(tar.Header{Name: "." + name, Typeflag: tar.TypeReg, Mode: 0o644}, content)
}

func (d *deb) entry(h tar.Header, content string) *deb {
	if d.content == nil {
		d.content = make(map[string]string)
	}
	h.Size = int64(len(content))
	d.files = append(d.files, h)
	d.content[h.Name] = content
	return d
}

func (d *deb) link(name, target string) *deb {
	return d.entry(tar.Header{Name: "." + name, Typeflag: tar.TypeSymlink, Linkname: target}, "")
}

func (d *deb) dir(name string) *deb {
	return d.entry(tar.Header{Name: "." + name + "/", Typeflag: tar.TypeDir, Mode: 0o755}, "")
}

func (d *deb) control() string {
	return fmt.Sprintf("Package: %s\nVersion: %s\nArchitecture: all\nMaintainer: none <none@example.org>\n%sDescription: none\n",
		d.name, d.version, d.fields)
}

func tarball(headers []tar.Header, content map[string]string) []byte {
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, h := range headers {
		h.Format = tar.FormatGNU
		if err := w.WriteHeader(&h); err != nil {
			panic(err)
		}
		if _, err := w.Write([]byte(content[h.Name])); err != nil {
			panic(err)
		}
	}
	if err := w.Close(); err != nil {
		panic(err)
	}
	return b.Bytes()
}

// member is one file of an ar archive, as deb(5) wants it.
func member(name string, size int64, body []byte) []byte {
	b := fmt.Appendf(nil, "%-16s%-12d%-6d%-6d%-8o%-10d`\n", name, 0, 0, 0, 0o100644, size)
	b = append(b, body...)
	if len(body)%2 == 1 {
		b = append(b, '\n')
	}
	return b
}

func (d *deb) bytes() []byte {
	control := tarball([]tar.Header{{Name: "./control", Typeflag: tar.TypeReg, Mode: 0o644, Size: int64(len(d.control()))}},
		map[string]string{"./control": d.control()})
	data := tarball(d.files, d.content)
	out := []byte("!<arch>\n")
	out = append(out, member("debian-binary", 4, []byte("2.0\n"))...)
	out = append(out, member("control.tar", int64(len(control)), control)...)
	return append(out, member("data.tar", int64(len(data)), data)...)
}

func (d *deb) filename() string {
	return "pool/" + strings.NewReplacer(":", "%3a").Replace(d.name+"_"+d.version) + "_all.deb"
}

// locked is the lock entry for a .deb with these bytes.
func (d *deb) locked(b []byte) Package {
	sum := sha256.Sum256(b)
	return Package{
		Name: d.name, Version: d.version, Architecture: "all", Filename: d.filename(),
		Size: int64(len(b)), SHA256: hex.EncodeToString(sum[:]),
	}
}

// A repo is an archive in a directory, and the apt configuration that knows
// nothing else.
type repo struct {
	t    *testing.T
	dir  string
	conf string
}

// newRepo makes an archive that apt takes as it takes signed ones if options
// says trusted=yes.
func newRepo(t *testing.T, options string, debs ...*deb) *repo {
	t.Helper()
	// apt reads and writes as a user of its own when this is root.
	base := open(t)
	t.Setenv("TMPDIR", open(t))
	r := &repo{t, filepath.Join(base, "archive"), ""}
	list := filepath.Join(base, "sources.list")
	r.write(list, fmt.Sprintf("deb [%s] copy:%s ./\n", options, r.dir))
	r.conf = fmt.Sprintf("Dir::Etc::sourcelist %q;\nDir::Etc::sourceparts \"-\";\nDir::Etc::preferences \"-\";\nDir::Etc::preferencesparts \"-\";\n", list)
	r.fill(debs...)
	return r
}

// open is a new directory that every user can enter.
func open(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for _, d := range []string{filepath.Dir(dir), dir} {
		if err := os.Chmod(d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func (r *repo) write(name, content string) {
	r.t.Helper()
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		r.t.Fatal(err)
	}
	if err := os.WriteFile(name, []byte(content), 0o644); err != nil {
		r.t.Fatal(err)
	}
}

// fill replaces what the archive holds.
func (r *repo) fill(debs ...*deb) {
	r.t.Helper()
	if err := os.RemoveAll(r.dir); err != nil {
		r.t.Fatal(err)
	}
	var index strings.Builder
	for _, d := range debs {
		b := d.bytes()
		p := d.locked(b)
		r.write(filepath.Join(r.dir, p.Filename), string(b))
		fmt.Fprintf(&index, "%sFilename: ./%s\nSize: %d\nSHA256: %s\n\n", d.control(), p.Filename, p.Size, p.SHA256)
	}
	r.write(filepath.Join(r.dir, "Packages"), index.String())
}

func (r *repo) options() Options {
	return Options{CacheDir: filepath.Join(r.t.TempDir(), "debs"), aptConf: r.conf}
}

// clean fails the test when anything temporary is left.
func (r *repo) clean() {
	r.t.Helper()
	left, err := os.ReadDir(os.Getenv("TMPDIR"))
	if err != nil {
		r.t.Fatal(err)
	}
	for _, e := range left {
		r.t.Errorf("left behind: %s", e.Name())
	}
}

func spool(t *testing.T) rootfs.Store {
	t.Helper()
	s, err := rootfs.NewSpool(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}
