package builder

import (
	"fmt"
	"slices"

	"github.com/immure-dev/immure/builder/elf"
	"github.com/immure-dev/immure/harden/grant"
)

// modules keeps what the shared objects among the kept files need: extension
// modules, which a program opens by itself. They are looked at as ld.so does
// when the service's program opens them by their paths. Where no program has an
// ELF interpreter nothing can load them, and they are files like any other.
func (s *selection) modules() error {
	if s.loader == "" {
		return nil
	}
	var paths []string
	for p := range s.Why() {
		if slices.Contains(s.rights, grant.PathRight("execute "+p)) {
			continue // of a closure
		}
		library, err := elf.IsLibrary(s.Get(p), arch)
		if err != nil {
			return err
		}
		if library {
			paths = append(paths, p)
		}
	}
	if len(paths) == 0 {
		return nil
	}
	slices.Sort(paths)
	r, err := s.Closure(s.loader, elf.Options{Arch: arch, Dlopen: paths}, "")
	if err != nil {
		return fmt.Errorf("shared objects that %s may open: %w; or keep the object out of boundary.files.read", s.loader, err)
	}
	s.runs(r)
	return nil
}
