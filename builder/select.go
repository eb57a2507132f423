package builder

import (
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/immure-dev/immure/builder/elf"
	"github.com/immure-dev/immure/builder/keep"
	"github.com/immure-dev/immure/builder/servicefile"
	"github.com/immure-dev/immure/harden"
	"github.com/immure-dev/immure/harden/grant"
	"github.com/immure-dev/immure/harden/order"
	"github.com/immure-dev/immure/internal/rootfs"
)

// execStackFacet is the facet that an executable stack needs a waiver of.
const execStackFacet = "memoryProtection.executableStack"

// A selection decides what the image keeps of a source.
type selection struct {
	*keep.Keeper
	file   *servicefile.File
	source *source
	rights []grant.PathRight
}

func newSelection(f *servicefile.File, s *source) *selection {
	return &selection{Keeper: keep.New(s), file: f, source: s}
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
	if err := s.accounts(); err != nil {
		return out, err
	}
	if stack := s.ExecStack(); len(stack) > 0 {
		if _, ok := s.file.Waiver(execStackFacet, "allowed"); !ok {
			return out, fmt.Errorf("%s: from: %s: %w", s.file.At("from"), stack[0], servicefile.ErrWaiver(execStackFacet, "allowed"))
		}
		out.execStack = true
	}
	out.rights = s.rights
	return out, nil
}

// program keeps a program with its closure and returns its real path.
func (s *selection) program(p, why string) (string, error) {
	opts := elf.Options{Arch: "amd64"}
	if p == s.file.Run.Args[0] {
		opts.Dlopen = s.file.Dlopen
	}
	r, err := s.Closure(p, opts, why)
	if err != nil {
		return "", err
	}
	for _, f := range r.Files {
		if f.Node.Type == rootfs.Regular {
			s.rights = append(s.rights, grant.PathRight("read "+f.Path), grant.PathRight("execute "+f.Path))
		}
	}
	return r.Program, nil
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
		return ok
	}})
	if err != nil {
		return nil, fmt.Errorf("%s: from: %w", s.file.At("from"), err)
	}
	return t, nil
}

// mountPoint makes the place of a mount, which a read-only root must hold.
func (s *selection) mountPoint(m grant.Slot) error {
	n := s.Keeper.Get(m.At)
	if n == nil {
		return s.Add(rootfs.Node{Path: m.At, Type: rootfs.Directory, Mode: 0o755}, "mount point for "+m.Kind)
	}
	if n.Type == rootfs.Symlink {
		return fmt.Errorf("mount at %s: the image has a symbolic link to %q there: mount it where that leads", m.At, n.Target)
	}
	return nil
}

// accounts writes the rows that name the service's user and group. Without them
// an engine that is told the user alone takes group 0.
// Source: moby/sys/user, GetExecUser.
func (s *selection) accounts() error {
	uid, gid, name := s.file.Run.UID, s.file.Run.GID, s.file.Service
	passwd := "root:x:0:0:root:/:/nonexistent\n"
	group := "root:x:0:\n"
	if uid != 0 {
		passwd += fmt.Sprintf("%s:x:%d:%d:%s:/:/nonexistent\n", name, uid, gid, name)
	}
	if gid != 0 {
		group += fmt.Sprintf("%s:x:%d:\n", name, gid)
	}
	for _, file := range []struct{ path, text string }{{"/etc/passwd", passwd}, {"/etc/group", group}} {
		p, text := file.path, file.text
		if s.source.Added(p) {
			continue // the author's own
		}
		n := rootfs.Node{Path: p, Type: rootfs.Regular, Mode: 0o444, Size: int64(len(text)), Content: rootfs.Bytes(text)}
		if err := s.Add(n, "names the service's "+path.Base(p)+" entry"); err != nil {
			return err
		}
		s.rights = append(s.rights, grant.PathRight("read "+p))
	}
	return nil
}
