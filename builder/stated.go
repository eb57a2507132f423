package builder

import (
	"errors"
	"fmt"
	"slices"

	"github.com/immure-dev/immure/builder/keep"
	"github.com/immure-dev/immure/builder/servicefile"
	"github.com/immure-dev/immure/harden/grant"
	"github.com/immure-dev/immure/harden/order"
)

// stated keeps a path that the file says the service reads. What is mounted
// there at run time need not be in the image, and of a host or a compiler there
// is nothing to keep but what was added.
func (s *selection) stated(p string) error {
	s.rights = append(s.rights, grant.PathRight("read "+p))
	if order.Beneath(p, bakedDir) {
		return fmt.Errorf("%s is immure's own", p)
	}
	if s.mounted(p) {
		return nil
	}
	if p == "/" {
		return s.everything()
	}
	if s.source.tree == nil && !s.source.Added(p) {
		if s.Has(p) || s.holdsAdded(p) {
			return nil
		}
		return fmt.Errorf("%s: nothing in the image is there: add it with boundary.files.add, or mount it with boundary.mounts", p)
	}
	err := s.read(p, "boundary.files.read")
	if errors.Is(err, keep.ErrMissing) {
		return fmt.Errorf("%s: not among the files of the source: correct the path, add it with boundary.files.add, or mount it with boundary.mounts", p)
	}
	return err
}

// everything keeps the whole source, but for what is mounted over or immure's.
func (s *selection) everything() error {
	names, err := s.source.List("/")
	if err != nil || s.source.tree == nil {
		return err
	}
	for _, name := range names {
		p := "/" + name
		if s.mounted(p) || p == bakedDir {
			continue
		}
		if _, err := s.Path(p, "boundary.files.read: everything"); err != nil {
			return err
		}
	}
	return nil
}

const bakedDir = "/.immure"

// mounted reports whether p lies at, in or around something that is mounted.
func (s *selection) mounted(p string) bool {
	places := []string{"/proc", "/sys", "/dev", "/etc/hosts", "/etc/resolv.conf", "/etc/hostname"}
	for _, m := range s.file.Stated.Mounts.Members() {
		places = append(places, m.At)
	}
	for _, d := range s.file.Files.Scratch {
		places = append(places, d.At)
	}
	return slices.ContainsFunc(places, func(at string) bool { return order.Beneath(p, at) })
}

// holdsAdded reports whether something that was added lies beneath p.
func (s *selection) holdsAdded(p string) bool {
	return slices.ContainsFunc(s.file.Files.Add, func(a servicefile.Add) bool { return order.Beneath(a.To, p) })
}
