package elf

import (
	"fmt"
	"io"
	"path"
	"slices"
	"strings"

	"github.com/immure-dev/immure/internal/rootfs"
)

// Bounds on ld.so.conf and what it includes.
const (
	maxConfBytes = 64 << 10
	maxConfFiles = 256
	maxConfDirs  = 1024
)

// interpreter keeps the ELF interpreter of main and learns from it where
// libraries are looked for.
func (c *closure) interpreter(main *loaded) error {
	f, o, err := c.load(main.interp)
	if err != nil {
		return fmt.Errorf("load ELF interpreter: %w", err)
	}
	if f == nil {
		return fmt.Errorf("find ELF interpreter %q of %s: no such file: add what holds it", main.interp, main.real)
	}
	c.known[path.Base(main.interp)] = true
	c.add(&loaded{found: f, object: o, by: main}, "ELF interpreter of "+main.real)

	arch, musl := strings.CutPrefix(path.Base(main.interp), "ld-musl-")
	if musl {
		c.musl, c.lib = true, "lib"
		return c.muslDirs(strings.TrimSuffix(arch, ".so.1"), main)
	}
	multiarch, err := lookup(c.src, "/usr/lib/"+c.machine.triplet)
	if err != nil {
		return err
	}
	// glibc as Debian and Ubuntu build it, or as everybody else does.
	c.lib, c.defaults = "lib64", []string{"/lib64", "/usr/lib64", "/lib", "/usr/lib"}
	if multiarch != nil {
		c.lib = "lib/" + c.machine.triplet
		c.defaults = []string{"/" + c.lib, "/usr/" + c.lib, "/lib", "/usr/lib"}
	}
	reader := confReader{src: c.src}
	if err := reader.file("/etc/ld.so.conf"); err != nil {
		return err
	}
	return c.confDirs(reader.dirs)
}

// muslDirs reads the search path of musl's loader, which is its own.
func (c *closure) muslDirs(arch string, main *loaded) error {
	c.defaults = []string{"/lib", "/usr/local/lib", "/usr/lib"}
	p := "/etc/ld-musl-" + arch + ".path"
	f, err := lookup(c.src, p)
	if err != nil || f == nil {
		return err
	}
	b, err := readConf(f.node)
	if err != nil {
		return err
	}
	why := "search path of the ELF interpreter of " + main.real
	c.keep(f.node, why)
	c.keepWay(f, why)
	c.defaults = strings.FieldsFunc(string(b), func(r rune) bool { return r == ':' || r == '\n' })
	for _, d := range c.defaults {
		if !path.IsAbs(d) {
			return fmt.Errorf("read %q: directory %q is not absolute", p, d)
		}
	}
	return nil
}

// confDirs takes over the directories of ld.so.conf that are not searched
// anyway, whatever links lead to them.
func (c *closure) confDirs(dirs []string) error {
	var standard []string
	for _, d := range c.defaults {
		f, err := lookup(c.src, d)
		if err != nil {
			return err
		}
		if f != nil {
			standard = append(standard, f.real)
		}
	}
	for _, d := range dirs {
		f, err := lookup(c.src, d)
		if err != nil {
			return err
		}
		if f != nil && !slices.Contains(standard, f.real) {
			c.conf = append(c.conf, d)
		}
	}
	return nil
}

// A confReader reads ld.so.conf as ldconfig(8) does.
type confReader struct {
	src   Source
	dirs  []string
	files int
}

func (r *confReader) file(p string) error {
	if r.files++; r.files > maxConfFiles {
		return fmt.Errorf("read %q: more than %d files of ld.so.conf", p, maxConfFiles)
	}
	f, err := lookup(r.src, p)
	if err != nil || f == nil {
		return err
	}
	b, err := readConf(f.node)
	if err != nil {
		return err
	}
	for line := range strings.Lines(string(b)) {
		line, _, _ = strings.Cut(line, "#")
		// ldconfig takes spaces, tabs, colons and commas as separators.
		words := strings.FieldsFunc(line, func(c rune) bool { return strings.ContainsRune(" \t\r\n:,", c) })
		if len(words) == 0 || words[0] == "hwcap" {
			continue
		}
		if words[0] == "include" {
			for _, pattern := range words[1:] {
				if err := r.include(path.Dir(p), pattern); err != nil {
					return err
				}
			}
			continue
		}
		for _, d := range words {
			if !path.IsAbs(d) || len(r.dirs) >= maxConfDirs {
				return fmt.Errorf("read %q: %q is not an absolute directory, or more than %d of them", p, d, maxConfDirs)
			}
			r.dirs = append(r.dirs, path.Clean(d))
		}
	}
	return nil
}

// include reads the files that pattern names, in order. Only its last
// component may have wildcards.
func (r *confReader) include(from, pattern string) error {
	if !path.IsAbs(pattern) {
		pattern = path.Join(from, pattern)
	}
	dir, base := path.Split(path.Clean(pattern))
	if strings.ContainsAny(dir, "*?[\\") {
		return fmt.Errorf("read ld.so.conf: include %q: wildcards in a directory", pattern)
	}
	f, err := lookup(r.src, dir)
	if err != nil || f == nil {
		return err
	}
	names, err := r.src.List(f.real)
	if err != nil {
		return err
	}
	for _, name := range names {
		ok, err := path.Match(base, name)
		if err != nil {
			return fmt.Errorf("read ld.so.conf: include %q: %w", pattern, err)
		}
		// As with glob(3), a wildcard does not match a leading dot.
		if !ok || name[0] == '.' && base[0] != '.' {
			continue
		}
		if err := r.file(path.Join(f.real, name)); err != nil {
			return err
		}
	}
	return nil
}

func readConf(n *rootfs.Node) ([]byte, error) {
	if n.Type != rootfs.Regular || n.Content == nil || n.Size > maxConfBytes {
		return nil, fmt.Errorf("read %q: not a regular file of at most %d bytes", n.Path, maxConfBytes)
	}
	rc, err := n.Content.Open()
	if err != nil {
		return nil, err
	}
	defer rc.Close()
	return io.ReadAll(io.LimitReader(rc, maxConfBytes))
}
