package elf

import (
	"cmp"
	"debug/elf"
	"errors"
	"fmt"
	"path"
	"runtime"
	"slices"
	"strings"

	"github.com/immure-dev/immure/internal/rootfs"
)

// maxObjects bounds the libraries of one program.
const maxObjects = 4096

// Options says what the files themselves do not.
type Options struct {
	// Arch is the machine the program must be for, as in GOARCH; empty means
	// this machine's.
	Arch string
	// Dlopen are libraries that the program opens itself, as names that are
	// looked for like needed ones ("libnss_dns.so.2") or absolute paths.
	Dlopen []string
}

// A File is one file of the closure.
type File struct {
	Path string       // absolute and clean
	Why  string       // "needed by /usr/bin/redis-server"
	Node *rootfs.Node // as the source holds it
}

// A Result is the closure of one program.
type Result struct {
	// Files are the program, its interpreter, its libraries and every symbolic
	// link on the way to them, in path order. Directories are listed only
	// where a path leads through them and back out; parents are not.
	Files []File
	// Program is where the program really lies.
	Program string
	// Interpreter is the program's PT_INTERP, or empty.
	Interpreter string
	// Needed are the real paths of the libraries, in the order of loading.
	Needed []string
	// IsStatic says that the program needs no other file.
	IsStatic bool
	// ExecStack names each file because of which the stack becomes
	// executable, and why. An empty list is the good case.
	ExecStack []string
	// Arch is the machine of all files, as in GOARCH.
	Arch string
	// Cache is the content that /etc/ld.so.cache needs for the libraries which
	// ld.so does not find without it, those in directories of ld.so.conf; nil
	// when there are none.
	Cache []byte
}

// A machine is one that closures are known for.
type machine struct {
	elf     elf.Machine
	triplet string // of Debian's multiarch directories
	flags   uint32 // of an entry of ld.so.cache: glibc sysdeps/generic/ldconfig.h
}

var machines = map[string]machine{
	"amd64":   {elf.EM_X86_64, "x86_64-linux-gnu", 0x0303},
	"arm64":   {elf.EM_AARCH64, "aarch64-linux-gnu", 0x0a03},
	"riscv64": {elf.EM_RISCV, "riscv64-linux-gnu", 0x1003},
}

// A loaded is an object in the order of loading.
type loaded struct {
	*found
	*object
	by *loaded // whose DT_NEEDED brought it; nil for the program
}

type closure struct {
	src      Source
	machine  machine
	musl     bool
	lib      string   // value of $LIB
	conf     []string // directories of ld.so.conf, default ones left out
	defaults []string
	cached   map[string]string // libraries found through conf, by name
	files    map[string]File
	loaded   map[string]*loaded // by real path
	known    map[string]bool    // names and sonames that are loaded already
	queue    []*loaded
	result   *Result
}

// Closure finds what the program at the absolute path program needs from src.
func Closure(src Source, program string, opts Options) (*Result, error) {
	arch := cmp.Or(opts.Arch, runtime.GOARCH)
	m, ok := machines[arch]
	if !ok {
		return nil, fmt.Errorf("find closure of %q: no ELF closure for architecture %q, only amd64, arm64 and riscv64", program, arch)
	}
	c := &closure{
		src: src, machine: m,
		cached: make(map[string]string), files: make(map[string]File),
		loaded: make(map[string]*loaded), known: make(map[string]bool),
		result: &Result{Arch: arch},
	}
	if err := c.run(program, opts.Dlopen); err != nil {
		return nil, fmt.Errorf("find closure of %q: %w", program, err)
	}
	return c.result, nil
}

func (c *closure) run(program string, dlopen []string) error {
	if !path.IsAbs(program) {
		return errors.New("path is not absolute")
	}
	f, o, err := c.load(program)
	if err != nil {
		return err
	}
	if f == nil {
		return errors.New("no such file")
	}
	if o.interp == "" && len(o.needed) > 0 {
		return errors.New("a shared library, not a program: it has no ELF interpreter")
	}
	// The kernel tells ld.so the program's real path; libraries keep the path
	// under which they were found.
	f.name = f.real
	main := &loaded{found: f, object: o}
	c.result.Program, c.result.Interpreter = f.real, o.interp
	c.add(main, "the program")
	if o.interp != "" {
		if err := c.interpreter(main); err != nil {
			return err
		}
	} else if len(dlopen) > 0 {
		return fmt.Errorf("open library %q: a program without an ELF interpreter opens none", dlopen[0])
	}
	for _, name := range dlopen {
		if err := c.need(name, main, "stated to be opened by "+f.real, false); err != nil {
			return err
		}
	}
	if err := c.drain(); err != nil {
		return err
	}
	c.finish()
	return nil
}

// drain loads what the queued objects need, breadth first as ld.so does.
func (c *closure) drain() error {
	for len(c.queue) > 0 {
		l := c.queue[0]
		c.queue = c.queue[1:]
		for _, name := range l.needed {
			if err := c.need(name, l, "needed by "+l.real, false); err != nil {
				return err
			}
		}
		for _, name := range l.wanted {
			if err := c.need(name, l, "auxiliary library of "+l.real, true); err != nil {
				return err
			}
		}
	}
	return nil
}

// need loads the library name for l unless it is there already.
func (c *closure) need(name string, l *loaded, why string, optional bool) error {
	if name == "" || c.known[name] {
		return nil
	}
	f, o, err := c.find(name, l)
	if optional && errors.Is(err, errMissing) {
		return nil
	}
	if err != nil || f == nil {
		return err
	}
	c.known[name] = true
	c.keepWay(f, why)
	if c.loaded[f.real] != nil {
		return nil
	}
	if len(c.loaded) >= maxObjects {
		return fmt.Errorf("more than %d libraries", maxObjects)
	}
	c.result.Needed = append(c.result.Needed, f.real)
	c.add(&loaded{found: f, object: o, by: l}, why)
	return nil
}

// load follows p and parses what is there. All are nil when nothing is.
func (c *closure) load(p string) (*found, *object, error) {
	f, err := lookup(c.src, p)
	if err != nil || f == nil {
		return nil, nil, err
	}
	if f.node.Type != rootfs.Regular {
		return nil, nil, fmt.Errorf("read %q: not a regular file", f.real)
	}
	if l := c.loaded[f.real]; l != nil {
		return f, l.object, nil
	}
	r, closer, err := open(f.node)
	if err != nil {
		return nil, nil, err
	}
	defer closer.Close()
	o, err := parse(r, f.node.Size, c.machine.elf)
	if errors.Is(err, errNotELF) {
		line := make([]byte, 128)
		n, _ := r.ReadAt(line, 0)
		if first, _, _ := strings.Cut(string(line[:n]), "\n"); strings.HasPrefix(first, "#!") {
			return nil, nil, fmt.Errorf("read %q: a script for %q: name that interpreter as the program and the script as a file",
				f.real, strings.TrimSpace(first[2:]))
		}
	}
	if err != nil {
		return nil, nil, fmt.Errorf("read %q: %w", f.real, err)
	}
	return f, o, nil
}

// add records l as loaded, for the reason why, and queues what it needs.
func (c *closure) add(l *loaded, why string) {
	c.loaded[l.real] = l
	if l.soname != "" {
		c.known[l.soname] = true
	}
	if l.execStack != "" {
		c.result.ExecStack = append(c.result.ExecStack, l.real+": "+l.execStack)
	}
	c.keep(l.node, why)
	c.keepWay(l.found, why)
	c.queue = append(c.queue, l)
}

func (c *closure) keep(n *rootfs.Node, why string) {
	if _, ok := c.files[n.Path]; !ok {
		c.files[n.Path] = File{n.Path, why, n}
	}
}

func (c *closure) keepWay(f *found, why string) {
	for _, n := range f.way {
		kind := "link"
		if n.Type == rootfs.Directory {
			kind = "directory"
		}
		c.keep(n, kind+" on the way to "+f.real+", "+why)
	}
}

// finish writes the result. A directory that holds a kept file is left out: it
// is there anyway.
func (c *closure) finish() {
	parents := make(map[string]bool)
	for p := range c.files {
		for p != "/" {
			p = path.Dir(p)
			parents[p] = true
		}
	}
	for p, f := range c.files {
		if f.Node.Type != rootfs.Directory || !parents[p] {
			c.result.Files = append(c.result.Files, f)
		}
	}
	slices.SortFunc(c.result.Files, func(a, b File) int { return rootfs.ComparePaths(a.Path, b.Path) })
	c.result.IsStatic = c.result.Interpreter == ""
	if len(c.cached) > 0 {
		c.result.Cache = cache(c.cached, c.machine.flags)
	}
}
