package builder

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"syscall"

	"github.com/immure-dev/immure/builder/elf"
	"github.com/immure-dev/immure/builder/keep"
	"github.com/immure-dev/immure/builder/servicefile"
	"github.com/immure-dev/immure/internal/rootfs"
)

// A source is where the files of an image come from.
type source struct {
	*keep.Overlay
	// tree is the whole of it; nil for a single program, whose source is not
	// the author's to take files from.
	tree *rootfs.Tree
	// whole says that every file of the tree must be kept for a reason.
	whole bool
	// program is why run.args[0] is kept.
	program string
	// owner names the package of a file, or is empty.
	owner    func(p string) string
	packages []Package
	// pinned is the digest of the image that was read.
	pinned string
	close  []io.Closer
}

func (s *source) Close() error {
	var all []error
	for _, c := range s.close {
		all = append(all, c.Close())
	}
	s.close = nil
	return errors.Join(all...)
}

// gather opens the source that the service file names. The caller closes it,
// also when there is an error.
func gather(ctx context.Context, f *servicefile.File, o Options) (*source, error) {
	s := &source{owner: func(string) string { return "" }, program: "the program: run.args"}
	var err error
	switch from := f.From; {
	case from.Go != "":
		err = s.fromGo(ctx, f, o)
	case from.Binary != "":
		err = s.fromBinary(f, o)
	case from.Rootfs != "":
		err = s.fromRootfs(f, o)
	case from.Image != "":
		err = s.fromImage(ctx, f, o)
	case from.Debian != nil:
		err = s.fromDebian(ctx, f, o)
	default:
		err = errors.New("the service file names no source")
	}
	if err == nil {
		err = s.add(f, o)
	}
	return s, err
}

func (s *source) fromBinary(f *servicefile.File, o Options) error {
	host, err := elf.FromHost("/")
	if err != nil {
		return err
	}
	s.close = append(s.close, host)
	s.Overlay = keep.NewOverlay(host)
	n, err := s.hostFile(o.host(f.From.Binary), f.Run.Args[0])
	if err != nil {
		return fmt.Errorf("%s: from.binary: %w", f.At("from.binary"), err)
	}
	n.Mode = 0o555
	s.program = "the program: from.binary"
	return s.Put(n)
}

func (s *source) fromRootfs(f *servicefile.File, o Options) error {
	tree, err := rootfs.ReadDir(o.host(f.From.Rootfs), o.bounds())
	if err != nil {
		return fmt.Errorf("%s: from.rootfs: %w", f.At("from.rootfs"), err)
	}
	s.close = append(s.close, tree)
	if os.Geteuid() != 0 {
		// Files of an ordinary user stand for root's.
		tree.Chown(0, 0)
	}
	s.tree, s.whole = tree, true
	s.Overlay = keep.NewOverlay(elf.FromTree(tree))
	return nil
}

// hostFile is a regular file of the host as a node at to, root's own and
// readable to all. Its content is read when it is needed, once it is known to
// be the same file still.
func (s *source) hostFile(name, to string) (rootfs.Node, error) {
	// A named pipe would make an ordinary open wait.
	f, err := os.OpenFile(name, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return rootfs.Node{}, err
	}
	s.close = append(s.close, f)
	fi, err := f.Stat()
	if err != nil {
		return rootfs.Node{}, err
	}
	if !fi.Mode().IsRegular() {
		return rootfs.Node{}, fmt.Errorf("%s is not a regular file", name)
	}
	mode := uint32(0o444)
	if fi.Mode()&0o111 != 0 {
		mode = 0o555
	}
	n := rootfs.Node{Path: to, Type: rootfs.Regular, Mode: mode, Size: fi.Size(), Content: opened{f, fi.Size()}}
	if n.Size > smallBytes {
		return n, nil
	}
	// Many small files would be many open ones.
	s.close = s.close[:len(s.close)-1]
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, smallBytes+1))
	n.Size, n.Content = int64(len(data)), rootfs.Bytes(data)
	return n, err
}

// smallBytes is the most that is kept of one file in memory.
const smallBytes = 64 << 10

// opened is the content of a file that stays open.
type opened struct {
	file *os.File
	size int64
}

// Open implements [rootfs.Content].
func (o opened) Open() (io.ReadCloser, error) {
	return section{io.NewSectionReader(o.file, 0, o.size)}, nil
}

type section struct{ *io.SectionReader }

func (section) Close() error { return nil }
