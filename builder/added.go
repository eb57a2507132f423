package builder

import (
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"

	"github.com/immure-dev/immure/builder/servicefile"
	"github.com/immure-dev/immure/internal/rootfs"
)

// maxAdded bounds the files of one added directory.
const maxAdded = 1 << 14

// add lays the files over the source that the service file adds.
func (s *source) add(f *servicefile.File, o Options) error {
	for i, a := range f.Files.Add {
		if err := s.addOne(o.host(a.From), a.To); err != nil {
			return fmt.Errorf("%s: boundary.files.add: %w", f.At(fmt.Sprintf("boundary.files.add[%d]", i)), err)
		}
	}
	return nil
}

func (s *source) addOne(from, to string) error {
	fi, err := os.Lstat(from)
	if err != nil {
		return err
	}
	if !fi.IsDir() {
		n, err := s.hostFile(from, to)
		if err != nil {
			return err
		}
		return s.Put(n)
	}
	count := 0
	return filepath.WalkDir(from, func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if count++; count > maxAdded {
			return fmt.Errorf("%s holds more than %d files", from, maxAdded)
		}
		rel, err := filepath.Rel(from, name)
		if err != nil {
			return err
		}
		at := path.Join(to, filepath.ToSlash(rel))
		switch {
		case d.IsDir():
			return s.Put(rootfs.Node{Path: at, Type: rootfs.Directory, Mode: 0o755})
		case d.Type()&fs.ModeSymlink != 0:
			target, err := os.Readlink(name)
			if err != nil {
				return err
			}
			return s.Put(rootfs.Node{Path: at, Type: rootfs.Symlink, Target: target})
		}
		n, err := s.hostFile(name, at)
		if err != nil {
			return err
		}
		return s.Put(n)
	})
}
