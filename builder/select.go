package builder

import (
	"cmp"
	"fmt"
	"strings"

	"github.com/immure-dev/immure/builder/elf"
	"github.com/immure-dev/immure/builder/keep"
	"github.com/immure-dev/immure/builder/servicefile"
	"github.com/immure-dev/immure/harden"
	"github.com/immure-dev/immure/harden/grant"
	"github.com/immure-dev/immure/internal/rootfs"
)

// arch is the machine that images are for, as in GOARCH.
const arch = "amd64"

// execStackFacet is the facet that an executable stack needs a waiver of.
const execStackFacet = "memoryProtection.executableStack"

// A selection decides what the image keeps of a source.
type selection struct {
	*keep.Keeper
	file   *servicefile.File
	source *source
	rights []grant.PathRight
	used   []wide // grants of files that were waived
	// loader is the first program that has an ELF interpreter: it, if any,
	// loads the shared objects that are kept as files.
	loader string
}

func newSelection(f *servicefile.File, s *source) *selection {
	k := keep.New(s)
	if s.tree == nil {
		// A link among the added files leads to no file of the host.
		k.Only(s.Top())
	}
	return &selection{Keeper: k, file: f, source: s}
}

// choose keeps the program, what it needs and what is stated.
func (s *selection) choose() (found, error) {
	var out found
	program, err := s.program(s.file.Run.Args[0], s.source.program)
	if err != nil {
		return out, fmt.Errorf("%s: run.args: %w", s.file.At("run.args[0]"), err)
	}
	out.executable = program
	for i, c := range s.file.Stated.Exec.Members() {
		args, ok := c.Args.Literals()
		if !ok {
			continue
		}
		if _, err := s.program(args[0], "boundary.exec: for "+string(c.For)); err != nil {
			return out, fmt.Errorf("%s: boundary.exec: %w", s.file.At(fmt.Sprintf("boundary.exec[%d]", i)), err)
		}
	}
	for i, p := range s.file.Files.Execute {
		if err := s.execute(p); err != nil {
			return out, fmt.Errorf("%s: boundary.files.execute: %w", s.file.At(fmt.Sprintf("boundary.files.execute[%d]", i)), err)
		}
	}
	for _, a := range s.file.Files.Add {
		if err := s.read(a.To, "boundary.files.add: from "+a.From); err != nil {
			return out, fmt.Errorf("%s: boundary.files.add: %w", s.file.At("boundary.files.add"), err)
		}
	}
	for i, p := range s.file.Files.Read {
		if err := s.stated(p); err != nil {
			return out, fmt.Errorf("%s: boundary.files.read: %w", s.file.At(fmt.Sprintf("boundary.files.read[%d]", i)), err)
		}
	}
	if err := s.modules(); err != nil {
		return out, fmt.Errorf("%s: boundary.files: %w", s.file.At("boundary.files"), err)
	}
	if err := s.accounts(); err != nil {
		return out, err
	}
	if stack := s.ExecStack(); len(stack) > 0 {
		if _, ok := s.file.Waiver(execStackFacet, "allowed"); !ok {
			return out, fmt.Errorf("%s: from: %s: %w", s.file.At("from"), stack[0], servicefile.ErrWaiver(execStackFacet, "allowed"))
		}
		out.execStack = true
		s.used = append(s.used, wide{execStackFacet, "allowed"})
	}
	out.rights = s.rights
	return out, nil
}

// program keeps a program with its closure and returns its real path.
func (s *selection) program(p, why string) (string, error) {
	opts := elf.Options{Arch: arch}
	if p == s.file.Run.Args[0] {
		opts.Dlopen = s.file.Dlopen
	}
	r, err := s.Closure(p, opts, why)
	if err != nil {
		return "", err
	}
	if s.source.tree == nil && !s.source.Added(r.Program) {
		return "", fmt.Errorf("%s: of this machine nothing is taken but the program and libraries: add it with boundary.files.add", r.Program)
	}
	s.runs(r)
	if !r.IsStatic {
		s.loader = cmp.Or(s.loader, p)
	}
	return r.Program, nil
}

// runs grants reading and executing the files of a closure.
func (s *selection) runs(r *elf.Result) {
	for _, f := range r.Files {
		if f.Node.Type == rootfs.Regular {
			s.rights = append(s.rights, grant.PathRight("read "+f.Path), grant.PathRight("execute "+f.Path))
		}
	}
}

// execute keeps a program that the service starts itself, or everything in a
// directory, programs with their closures.
func (s *selection) execute(p string) error {
	n, err := s.source.Lookup(p)
	if err != nil {
		return err
	}
	if n != nil && n.Type != rootfs.Directory {
		_, err := s.program(p, "boundary.files.execute")
		return err
	}
	return fmt.Errorf("%s: name the program, not a directory of them", p)
}

// read keeps what p leads to and grants reading it.
func (s *selection) read(p, why string) error {
	real, err := s.Path(p, why)
	if err != nil {
		return err
	}
	s.rights = append(s.rights, grant.PathRight("read "+p), grant.PathRight("read "+real))
	return nil
}

// reasons are those of every kept file, with the package that it came from.
func (s *selection) reasons() map[string]string {
	why := s.Why()
	for p := range why {
		if owner := s.source.owner(p); owner != "" && !s.source.Added(p) {
			why[p] += " (package " + owner + ")"
		}
	}
	return why
}

// finish adds what every image needs and refuses a source with files that
// nothing explains.
func (s *selection) finish(b harden.Boundary) error {
	for _, m := range b.Mounts.Members() {
		if err := s.hides(m); err != nil {
			return err
		}
		if err := s.mountPoint(m); err != nil {
			return err
		}
	}
	if !s.source.whole {
		return nil
	}
	var left []string
	for _, p := range s.Unexplained(s.source.tree) {
		if !s.mounted(p) {
			left = append(left, p)
		}
	}
	if len(left) == 0 {
		return nil
	}
	const most = 10
	shown := strings.Join(left[:min(len(left), most)], ", ")
	if len(left) > most {
		shown += fmt.Sprintf(" and %d more", len(left)-most)
	}
	return fmt.Errorf("%s: from.rootfs: nothing asks for %s: state what the service reads in boundary.files.read, what it executes in boundary.files.execute, or remove it",
		s.file.At("from.rootfs"), shown)
}

// tree gives what is kept, once nothing is out of place.
func (s *selection) tree() (*rootfs.Tree, error) {
	t, err := s.Tree(keep.Judge{UID: s.file.Run.UID, GID: s.file.Run.GID, Waived: func(facet, grant string) bool {
		_, ok := s.file.Waiver(facet, grant)
		s.used = append(s.used, wide{facet, grant})
		return ok
	}})
	if err != nil {
		return nil, fmt.Errorf("%s: from: %w", s.file.At("from"), err)
	}
	return t, nil
}
