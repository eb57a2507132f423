package main

import (
	"archive/tar"
	"bytes"
	"os"
	"strings"
	"testing"
)

// layer is an uncompressed tar archive of the entries. A regular file has one
// byte, a whiteout none.
func layer(t *testing.T, entries ...tar.Header) *bytes.Buffer {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, h := range entries {
		if h.Typeflag == tar.TypeReg && !strings.Contains(h.Name, ".wh.") {
			h.Size = 1
		}
		if err := w.WriteHeader(&h); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write(make([]byte, h.Size)); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return &b
}

func TestContents(t *testing.T) {
	lower := []tar.Header{
		{Typeflag: tar.TypeReg, Name: "bin/dash", Mode: 0o755},
		{Typeflag: tar.TypeSymlink, Name: "bin/sh", Linkname: "dash"},
		{Typeflag: tar.TypeReg, Name: "bin/su", Mode: 0o4755},
		{Typeflag: tar.TypeReg, Name: "bin/wall", Mode: 0o2755},
		{Typeflag: tar.TypeReg, Name: "usr/share/completion/bash", Mode: 0o644},
	}
	for _, c := range []struct {
		name   string
		layers [][]tar.Header
		want   string // files, setuid files, shells
	}{
		{"no shell", [][]tar.Header{{{Typeflag: tar.TypeReg, Name: "server", Mode: 0o755}}}, "1 0 none"},
		{"shell", [][]tar.Header{lower}, "5 1 dash"},
		{"hidden by an upper layer", [][]tar.Header{lower, {
			{Typeflag: tar.TypeReg, Name: "bin/.wh.dash"},
			{Typeflag: tar.TypeReg, Name: "bin/su", Mode: 0o755},
		}}, "4 0 none"},
		{"hard link", [][]tar.Header{{
			{Typeflag: tar.TypeReg, Name: "bin/bash", Mode: 0o755},
			{Typeflag: tar.TypeLink, Name: "bin/sh", Linkname: "bin/bash", Mode: 0o755},
		}}, "2 0 bash, sh"},
	} {
		t.Run(c.name, func(t *testing.T) {
			var all contents
			var size int64
			for _, entries := range c.layers {
				archive := layer(t, entries...)
				size += int64(archive.Len())
				if err := all.add(archive); err != nil {
					t.Fatal(err)
				}
			}
			_, got, _ := strings.Cut(strings.TrimSpace(all.row()), " ")
			if got := strings.Join(strings.Fields(got), " "); got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
			if all.bytes != size {
				t.Errorf("got %d bytes, want %d", all.bytes, size)
			}
			if under := all.under("/bin/", "/usr/bin/"); under+all.under("/usr/share/", "/server") != all.tree.Size() {
				t.Errorf("got %d bytes in /bin, of %d altogether", under, all.tree.Size())
			}
		})
	}
}

func TestContentsCutShort(t *testing.T) {
	archive := layer(t, tar.Header{Typeflag: tar.TypeReg, Name: "server", Mode: 0o755})
	archive.Truncate(512)
	var all contents
	if err := all.add(archive); err == nil {
		t.Error("a layer without its end was weighed")
	}
}

func TestEnclosedSaysWhy(t *testing.T) {
	for script, want := range map[string]string{
		"echo Get:1 >&2; echo 'E: no such package' >&2; echo 'E: failed' >&2; exit 25": "run mmdebstrap: exit status 25: no such package",
		"echo 'no mark' >&2; exit 1": "run mmdebstrap: exit status 1: no mark",
		"exit 1":                     "run mmdebstrap: exit status 1: it says nothing",
		"test $$ = 1 || { echo shared >&2; exit 3; }": "",
	} {
		err := enclosed(t.Context(), t.TempDir(), "/bin/sh", []string{"-c", script})
		if got := text(err); got != want {
			t.Errorf("%s: got %q, want %q", script, got, want)
		}
	}
}

// A process left behind would hold the program's output open, and this test up.
func TestEnclosedLeavesNothing(t *testing.T) {
	dir := t.TempDir()
	script := "sleep 3600 & mount -t tmpfs none $TMPDIR && touch $TMPDIR/inside"
	if err := enclosed(t.Context(), dir, "/bin/sh", []string{"-c", script}); err != nil {
		t.Fatal(err)
	}
	left, err := os.ReadDir(dir)
	if err != nil || len(left) > 0 {
		t.Errorf("the mount is still seen: %v, %v", left, err)
	}
}

func text(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}
