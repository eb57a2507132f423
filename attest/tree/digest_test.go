package tree_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"testing/iotest"

	"github.com/immure-dev/immure/attest/tree"
	"github.com/immure-dev/immure/internal/rootfs"
)

const chunk = 1 << 20

// sizes around the edges of chunks and reads.
var sizes = []int{0, 1, 64<<10 - 1, 64 << 10, 64<<10 + 1, chunk - 1, chunk, chunk + 1, 2 * chunk, 3*chunk + 5}

// A file has one digest, from whatever it is read.
func TestDigestOfEverySource(t *testing.T) {
	dir := t.TempDir()
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	nodes := []node{{Path: "/", Type: "d", Mode: "755"}}
	for i, size := range sizes {
		content := strings.Repeat("abc", size/3+1)[:size]
		nodes = append(nodes, node{Path: "/" + string(rune('a'+i)), Type: "f", Mode: "644", Content: hexOf(content)})
		if err := os.WriteFile(filepath.Join(dir, string(rune('a'+i))), []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want := naiveDigest(nodes, nil)
	memory, err := build(nodes)
	if err != nil {
		t.Fatal(err)
	}
	check := func(name string, rt *rootfs.Tree) {
		t.Helper()
		if got, err := tree.Digest(rt); err != nil || got != want {
			t.Errorf("%s: got %s, %v; want %s", name, got, err, want)
		}
	}
	check("memory", memory)

	fromDir, err := rootfs.ReadDir(dir, rootfs.DefaultLimits)
	if err != nil {
		t.Fatal(err)
	}
	defer fromDir.Close()
	fromDir.Chown(0, 0)
	check("directory", fromDir)

	var streams rootfs.Tree
	for n := range memory.All() {
		copied := *n
		if n.Type == rootfs.Regular {
			copied.Content = streamOnly{n.Content}
		}
		if err := streams.Put(copied); err != nil {
			t.Fatal(err)
		}
	}
	check("streams", &streams)

	var layer bytes.Buffer
	if err := memory.WriteLayer(&layer, epoch); err != nil {
		t.Fatal(err)
	}
	spool, err := rootfs.NewSpool(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer spool.Close()
	for name, store := range map[string]rootfs.Store{
		"layer": spool, "hashed layer": tree.Hasher{Store: spool}, "hashed layer, not kept": tree.Hasher{},
	} {
		var applied rootfs.Tree
		if err := applied.Apply(iotest.HalfReader(bytes.NewReader(layer.Bytes())), store, rootfs.DefaultLimits); err != nil {
			t.Fatal(err)
		}
		check(name, &applied)
	}
}

// What a Hasher gives back can be opened, and hides no other size.
func TestHasher(t *testing.T) {
	spool, err := rootfs.NewSpool(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer spool.Close()
	for _, c := range []struct {
		name string
		put  func() error
		want string
	}{
		{"kept", func() error {
			content, err := tree.Hasher{Store: spool}.Put(strings.NewReader("abc"), 3)
			if err != nil {
				return err
			}
			r, err := content.Open()
			if err != nil {
				return err
			}
			defer r.Close()
			if b, err := io.ReadAll(r); err != nil || string(b) != "abc" {
				t.Errorf("got %q, %v", b, err)
			}
			return nil
		}, ""},
		{"dropped", func() error {
			content, err := tree.Hasher{}.Put(strings.NewReader("abc"), 3)
			if err != nil {
				t.Error(err)
				return err
			}
			_, err = content.Open()
			return err
		}, "not kept"},
		{"shorter", func() error { _, err := tree.Hasher{}.Put(strings.NewReader("ab"), 3); return err }, "2 of 3 bytes"},
		{"longer", func() error { _, err := tree.Hasher{}.Put(strings.NewReader("abcd"), 3); return err }, "4 of 3 bytes"},
		{"longer, kept", func() error { _, err := tree.Hasher{Store: spool}.Put(strings.NewReader("abcd"), 3); return err }, "longer"},
		{"a node of another size", func() error {
			content, err := tree.Hasher{}.Put(strings.NewReader("abc"), 3)
			if err != nil {
				t.Error(err)
				return err
			}
			_, err = tree.Digest(oneFile(t, content, 4))
			return err
		}, "its node says 4"},
	} {
		t.Run(c.name, func(t *testing.T) {
			err := c.put()
			if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
				t.Errorf("got error %v, want %q", err, c.want)
			}
		})
	}
}

// A content that fails, or is not what its node says, fails the digest, names
// the file, and is closed.
func TestDigestOfBadContents(t *testing.T) {
	broken := errors.New("broken")
	for _, c := range []struct {
		name string
		size int64
		open func() (io.ReadCloser, error)
		want string
	}{
		{"cannot be opened", 3, func() (io.ReadCloser, error) { return nil, broken }, "broken"},
		{"cannot be read", 3, func() (io.ReadCloser, error) { return io.NopCloser(iotest.ErrReader(broken)), nil }, "broken"},
		{"shorter", 4, rootfs.Bytes("abc").Open, "shorter"},
		{"longer", 2, rootfs.Bytes("abc").Open, "longer"},
		{"not empty", 0, rootfs.Bytes("abc").Open, "longer"},
		{"shorter by chunks", 3 * chunk, rootfs.Bytes(make([]byte, chunk+1)).Open, "shorter"},
		{"longer by chunks", 2 * chunk, rootfs.Bytes(make([]byte, 2*chunk+1)).Open, "longer"},
		{"shorter stream", 3 * chunk, streamOnly{rootfs.Bytes(make([]byte, chunk+1))}.Open, "shorter"},
		{"longer stream", 2 * chunk, streamOnly{rootfs.Bytes(make([]byte, 2*chunk+1))}.Open, "longer"},
	} {
		t.Run(c.name, func(t *testing.T) {
			counted := &counting{open: c.open}
			rt := oneFile(t, counted, c.size)
			for _, name := range []string{"/0", "/1", "/2", "/3"} {
				n := *rt.Get("/f")
				n.Path = name
				if err := rt.Put(n); err != nil {
					t.Fatal(err)
				}
			}
			_, err := tree.Digest(rt)
			if err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), `"/`) {
				t.Errorf("got error %v, want a path and %q", err, c.want)
			}
			if opened, closed := counted.opened.Load(), counted.closed.Load(); opened != closed {
				t.Errorf("opened %d times, closed %d times", opened, closed)
			}
		})
	}
}

// Every content of a good tree is opened once and closed once.
func TestDigestOpensOnce(t *testing.T) {
	for name, open := range map[string]func() (io.ReadCloser, error){
		"anywhere": rootfs.Bytes(make([]byte, 5*chunk)).Open,
		"stream":   streamOnly{rootfs.Bytes(make([]byte, 5*chunk))}.Open,
	} {
		counted := &counting{open: open}
		if _, err := tree.Digest(oneFile(t, counted, 5*chunk)); err != nil {
			t.Fatal(err)
		}
		if opened, closed := counted.opened.Load(), counted.closed.Load(); opened != 1 || closed != 1 {
			t.Errorf("%s: opened %d times, closed %d times", name, opened, closed)
		}
	}
}

func oneFile(t *testing.T, c rootfs.Content, size int64) *rootfs.Tree {
	t.Helper()
	var rt rootfs.Tree
	for _, n := range []rootfs.Node{{Path: "/", Type: rootfs.Directory}, {Path: "/f", Type: rootfs.Regular, Size: size, Content: c}} {
		if err := rt.Put(n); err != nil {
			t.Fatal(err)
		}
	}
	return &rt
}

// streamOnly hides that a content can be read from anywhere.
type streamOnly struct{ rootfs.Content }

func (s streamOnly) Open() (io.ReadCloser, error) {
	r, err := s.Content.Open()
	return struct{ io.ReadCloser }{r}, err
}

// counting counts how often a content is opened and closed.
type counting struct {
	open           func() (io.ReadCloser, error)
	opened, closed atomic.Int64
}

func (c *counting) Open() (io.ReadCloser, error) {
	r, err := c.open()
	if err != nil {
		return nil, err
	}
	c.opened.Add(1)
	if at, ok := r.(io.ReaderAt); ok {
		return struct {
			io.ReaderAt
			*countedCloser
		}{at, &countedCloser{r, c}}, nil
	}
	return &countedCloser{r, c}, nil
}

type countedCloser struct {
	io.ReadCloser
	c *counting
}

func (c *countedCloser) Close() error {
	c.c.closed.Add(1)
	return c.ReadCloser.Close()
}

func TestDigestContextEnds(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := tree.DigestContext(ctx, oneFile(t, rootfs.Bytes("abc"), 3)); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}
