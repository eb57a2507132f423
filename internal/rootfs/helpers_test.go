package rootfs

import (
	"archive/tar"
	"bytes"
	"crypto/sha256"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"
)

// layer makes an archive of headers; a regular file holds its own name, cut or
// repeated to h.Size, which is the length of the name when it is zero.
func layer(t testing.TB, headers ...*tar.Header) []byte {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, h := range headers {
		body := ""
		if h.Typeflag == tar.TypeReg && !strings.Contains(h.Name, whiteoutPrefix) {
			if h.Size == 0 {
				h.Size = int64(len(h.Name))
			}
			body = strings.Repeat(h.Name, 1+int(h.Size)/len(h.Name))[:h.Size]
		}
		if err := w.WriteHeader(h); err != nil {
			t.Fatalf("write header %+v: %v", h, err)
		}
		if _, err := io.WriteString(w, body); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func dir(name string, mode int64) *tar.Header {
	return &tar.Header{Typeflag: tar.TypeDir, Name: name, Mode: mode}
}

func reg(name string) *tar.Header {
	return &tar.Header{Typeflag: tar.TypeReg, Name: name, Mode: 0o644}
}

func sized(name string, size int64) *tar.Header {
	return &tar.Header{Typeflag: tar.TypeReg, Name: name, Mode: 0o644, Size: size}
}

func link(name, to string) *tar.Header {
	return &tar.Header{Typeflag: tar.TypeLink, Name: name, Linkname: to, Mode: 0o644}
}

func symlink(name, to string) *tar.Header {
	return &tar.Header{Typeflag: tar.TypeSymlink, Name: name, Linkname: to, Mode: 0o777}
}

func record(h *tar.Header, key, value string) *tar.Header {
	h.PAXRecords = map[string]string{key: value}
	return h
}

// spool gives a Spool that ends with the test.
func spool(t testing.TB) *Spool {
	t.Helper()
	s, err := NewSpool("")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// apply puts layers on an empty tree.
func apply(t testing.TB, layers ...[]byte) (*Tree, error) {
	t.Helper()
	tree, s := new(Tree), spool(t)
	for _, l := range layers {
		if err := tree.Apply(bytes.NewReader(l), s, DefaultLimits); err != nil {
			return nil, err
		}
	}
	return tree, nil
}

// listing shows each node of a tree on one line, with all that it holds.
func listing(t testing.TB, tree *Tree) string {
	t.Helper()
	var b strings.Builder
	for n := range tree.All() {
		fmt.Fprintf(&b, "%s %c %04o %d:%d", n.Path, n.Type, n.Mode, n.UID, n.GID)
		switch n.Type {
		case Symlink:
			fmt.Fprintf(&b, " -> %s", n.Target)
		case CharDevice, BlockDevice:
			fmt.Fprintf(&b, " %d,%d", n.Major, n.Minor)
		case Regular:
			content := read(t, n)
			if int64(len(content)) != n.Size {
				t.Errorf("%s holds %d bytes, its size is %d", n.Path, len(content), n.Size)
			}
			fmt.Fprintf(&b, " %d %x %x", n.Size, sha256.Sum256(content), n.Capability)
		}
		b.WriteByte('\n')
	}
	return b.String()
}

// paths shows paths and types alone.
func paths(tree *Tree) string {
	var b strings.Builder
	for n := range tree.All() {
		fmt.Fprintf(&b, "%s %c %04o\n", n.Path, n.Type, n.Mode)
	}
	return b.String()
}

func read(t testing.TB, n *Node) []byte {
	t.Helper()
	r, err := n.Content.Open()
	if err != nil {
		t.Fatalf("open %s: %v", n.Path, err)
	}
	defer r.Close()
	b, err := io.ReadAll(r)
	if err != nil {
		t.Fatalf("read %s: %v", n.Path, err)
	}
	return b
}

// put adds nodes or fails.
func put(t testing.TB, tree *Tree, nodes ...Node) {
	t.Helper()
	for _, n := range nodes {
		if err := tree.Put(n); err != nil {
			t.Fatal(err)
		}
	}
}

// refused says whether err is there and names all of words.
func refused(t testing.TB, err error, words ...string) {
	t.Helper()
	if err == nil {
		t.Errorf("accepted, want an error with %q", words)
		return
	}
	for _, w := range words {
		if !strings.Contains(err.Error(), w) {
			t.Errorf("error %q does not name %q", err, w)
		}
	}
	if strings.Contains(err.Error(), "\n") {
		t.Errorf("error %q takes more than one line", err)
	}
}

// root says whether the tests may make devices, owners and capabilities.
func root() bool { return os.Geteuid() == 0 }
