package layout_test

import (
	"archive/tar"
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/immure-dev/immure/internal/oci/content"
	"github.com/immure-dev/immure/internal/oci/layout"
)

// archive writes a tar archive and says where unpacking leaves files.
func archive(t *testing.T, fill func(w *tar.Writer) error) (file, temp string) {
	t.Helper()
	var buf bytes.Buffer
	w := tar.NewWriter(&buf)
	if err := fill(w); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	temp = t.TempDir()
	t.Setenv("TMPDIR", temp)
	file = filepath.Join(t.TempDir(), "oci.tar")
	// archive/tar writes no sparse files; the record is renamed to have one.
	if err := os.WriteFile(file, bytes.Replace(buf.Bytes(), []byte("XNU.sparse"), []byte("GNU.sparse"), 1), 0o600); err != nil {
		t.Fatal(err)
	}
	return file, temp
}

func empty(t *testing.T, dir string) {
	t.Helper()
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		t.Errorf("left %v, %v", left, err)
	}
}

func TestOpenArchive(t *testing.T) {
	b := newBed(t)
	file, temp := archive(t, func(w *tar.Writer) error { return w.AddFS(os.DirFS(b.dir)) })
	l, err := layout.OpenArchive(t.Context(), file)
	b.must(err)
	h, err := l.Image(t.Context(), v1.Hash{})
	b.must(err)
	if _, err := content.Image(t.Context(), l, h); err != nil || h != b.subject.Digest {
		t.Errorf("got %s, %v", h, err)
	}
	b.must(l.Close())
	empty(t, temp)
}

func TestArchiveRefuses(t *testing.T) {
	sparse := map[string]string{"XNU.sparse.major": "1"}
	for _, tc := range []struct {
		name    string
		entries []tar.Header
		want    string
	}{
		{"nothing", nil, "no OCI layout"},
		{"a path outside", []tar.Header{{Name: "../index.json", Typeflag: tar.TypeReg}}, "does not belong"},
		{"a link", []tar.Header{{Name: "index.json", Typeflag: tar.TypeSymlink, Linkname: "/etc/passwd"}}, "does not belong"},
		{"another file", []tar.Header{{Name: "blobs/sha256/x", Typeflag: tar.TypeReg}}, "does not belong"},
		{"a file twice", []tar.Header{{Name: "index.json", Typeflag: tar.TypeReg}, {Name: "./index.json", Typeflag: tar.TypeReg}}, "exists"},
		{"a sparse file", []tar.Header{{Name: "index.json", Typeflag: tar.TypeReg, Format: tar.FormatPAX, PAXRecords: sparse}}, "does not belong"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			file, temp := archive(t, func(w *tar.Writer) error {
				for _, h := range tc.entries {
					if err := w.WriteHeader(&h); err != nil {
						return err
					}
				}
				return nil
			})
			if _, err := layout.OpenArchive(t.Context(), file); err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("got %v, want %q", err, tc.want)
			}
			empty(t, temp)
		})
	}
	if _, err := layout.OpenArchive(t.Context(), filepath.Join(t.TempDir(), "missing")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a missing archive: %v", err)
	}
}
