package elf

import (
	"cmp"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"
)

// A dir is one directory that ld.so looks in.
type dir struct {
	path string
	conf bool // reached through ld.so.conf: ld.so knows it from ld.so.cache alone
}

// reserved are the libraries that musl's loader is itself. Source: musl
// ldso/dynlink.c, load_library.
var reserved = []string{"libc.", "libpthread.", "librt.", "libm.", "libdl.", "libutil.", "libxnet."}

// find looks for the library name as ld.so does for l. It returns nil when the
// loader needs no file for it.
func (c *closure) find(name string, l *loaded) (*found, *object, error) {
	if c.musl && slices.ContainsFunc(reserved, func(r string) bool { return strings.HasPrefix(name, r) }) {
		return nil, nil, nil
	}
	name, err := c.expand(name, l)
	if err != nil {
		return nil, nil, err
	}
	var looked []string
	try := func(p string) (*found, *object, error) {
		f, o, err := c.load(p)
		if wrong := (*wrongMachineError)(nil); errors.As(err, &wrong) {
			looked = append(looked, p+" ("+wrong.Error()+")")
			return nil, nil, nil
		}
		if f == nil && err == nil {
			looked = append(looked, path.Dir(p))
		}
		return f, o, err
	}
	if strings.Contains(name, "/") {
		if !path.IsAbs(name) {
			return nil, nil, fmt.Errorf("find library %q: path is relative to the working directory", name)
		}
		f, o, err := try(name)
		if f != nil || err != nil {
			return f, o, err
		}
		return nil, nil, c.missing(name, l, looked)
	}
	dirs, err := c.dirs(l)
	if err != nil {
		return nil, nil, err
	}
	for _, d := range dirs {
		f, o, err := try(d.path + "/" + name)
		if err != nil {
			return nil, nil, err
		}
		if f != nil {
			if d.conf {
				c.cached[name] = d.path + "/" + name
			}
			return f, o, nil
		}
	}
	return nil, nil, c.missing(name, l, looked)
}

// errMissing is wrapped by the error for a library that is nowhere.
var errMissing = errors.New("no such library")

func (c *closure) missing(name string, l *loaded, looked []string) error {
	slices.Sort(looked)
	return fmt.Errorf("find library %q, needed by %s: %w in %s: add what holds it, or the directory to /etc/ld.so.conf",
		name, l.real, errMissing, strings.Join(slices.Compact(looked), ", "))
}

// dirs are the directories that ld.so searches for what l needs, in order.
// LD_LIBRARY_PATH does not count: the boundary, not the build, says what the
// environment holds.
func (c *closure) dirs(l *loaded) ([]dir, error) {
	var dirs []dir
	add := func(paths []string, of *loaded) error {
		for _, p := range paths {
			if p == "" && len(paths) == 1 {
				continue
			}
			q, err := c.expand(p, of)
			if err != nil {
				return err
			}
			if !path.IsAbs(q) {
				return fmt.Errorf("search path %q of %s is relative to the working directory", p, of.real)
			}
			dirs = append(dirs, dir{path: strings.TrimRight(q, "/")})
		}
		return nil
	}
	// An object's own DT_RUNPATH switches off every DT_RPATH; an object with
	// both has no DT_RPATH. musl makes no difference between the two.
	if c.musl || !l.hasRunpath {
		for a := l; a != nil; a = a.by {
			paths := a.rpath
			if a.hasRunpath {
				paths = nil
				if c.musl {
					paths = a.runpath
				}
			}
			if err := add(paths, a); err != nil {
				return nil, err
			}
		}
	}
	if !c.musl && l.hasRunpath {
		if err := add(l.runpath, l); err != nil {
			return nil, err
		}
	}
	for _, d := range c.conf {
		// With DF_1_NODEFLIB, entries of the cache that lie in a default
		// directory do not count either: conf holds none of those.
		dirs = append(dirs, dir{path: d, conf: true})
	}
	if !l.noDefaultLib {
		for _, d := range c.defaults {
			dirs = append(dirs, dir{path: d})
		}
	}
	return dirs, nil
}

// expand replaces the tokens that ld.so(8) knows in s, a name or search path
// of l.
func (c *closure) expand(s string, l *loaded) (string, error) {
	if !strings.Contains(s, "$") {
		return s, nil
	}
	origin := cmp.Or(l.name[:strings.LastIndexByte(l.name, '/')], "/")
	s = strings.NewReplacer("${ORIGIN}", origin, "$ORIGIN", origin, "${LIB}", c.lib, "$LIB", c.lib).Replace(s)
	if strings.Contains(s, "$") {
		return "", fmt.Errorf("search path %q of %s depends on the processor it runs on: state the library's path instead", s, l.real)
	}
	return s, nil
}
