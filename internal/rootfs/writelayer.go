package rootfs

import (
	"archive/tar"
	"fmt"
	"io"
	"strings"
	"time"
)

// WriteLayer writes t as one uncompressed layer, a tar archive in PAX format:
// the same tree and time give the same bytes. Every node has the modification
// time mtime, in whole seconds; owners are numbers without names; files with
// the same content are written one by one, never as hard links.
//
// Source: OCI image-spec, layer.md.
func (t *Tree) WriteLayer(w io.Writer, mtime time.Time) error {
	if err := t.Check(); err != nil {
		return fmt.Errorf("write layer: %w", err)
	}
	archive := tar.NewWriter(w)
	buf := make([]byte, copyBytes)
	for n := range t.All() {
		if err := writeEntry(archive, n, mtime, buf); err != nil {
			return fmt.Errorf("write layer: %q: %w", n.Path, err)
		}
	}
	if err := archive.Close(); err != nil {
		return fmt.Errorf("write layer: %w", err)
	}
	return nil
}

// copyBytes is the size of the buffer that contents are copied through.
const copyBytes = 256 << 10

func writeEntry(archive *tar.Writer, n *Node, mtime time.Time, buf []byte) error {
	h := &tar.Header{
		Format:   tar.FormatPAX,
		Name:     strings.TrimPrefix(n.Path, "/"),
		Mode:     int64(n.Mode),
		Uid:      int(n.UID),
		Gid:      int(n.GID),
		Size:     n.Size,
		ModTime:  time.Unix(mtime.Unix(), 0).UTC(),
		Linkname: n.Target,
		Devmajor: int64(n.Major),
		Devminor: int64(n.Minor),
	}
	switch n.Type {
	case Directory:
		h.Typeflag = tar.TypeDir
		h.Name += "/"
		if n.Path == "/" {
			h.Name = "./"
		}
	case Regular:
		h.Typeflag = tar.TypeReg
	case Symlink:
		h.Typeflag = tar.TypeSymlink
		// What lstat shows, and so what other writers put here.
		h.Mode = 0o777
	case CharDevice:
		h.Typeflag = tar.TypeChar
	case BlockDevice:
		h.Typeflag = tar.TypeBlock
	case FIFO:
		h.Typeflag = tar.TypeFifo
	}
	if n.Capability != nil {
		h.PAXRecords = map[string]string{paxXattr + capabilityAttribute: string(n.Capability)}
	}
	if err := archive.WriteHeader(h); err != nil {
		return err
	}
	if n.Type != Regular {
		return nil
	}
	return n.copyTo(archive, buf)
}

// copyTo writes the content of a regular file to w, exactly Size bytes.
func (n *Node) copyTo(w io.Writer, buf []byte) error {
	r, err := n.Content.Open()
	if err != nil {
		return err
	}
	defer r.Close()
	// Hiding WriteTo and ReadFrom, which would bring buffers of their own.
	copied, err := io.CopyBuffer(struct{ io.Writer }{w}, struct{ io.Reader }{io.LimitReader(r, n.Size)}, buf)
	if err != nil {
		return err
	}
	if copied != n.Size {
		return fmt.Errorf("content: %w after %d of %d bytes", io.ErrUnexpectedEOF, copied, n.Size)
	}
	return atEnd(r)
}
