package order

import (
	"encoding/json"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/immure-dev/immure/harden/canon"
)

// A Cover is a set of paths that must be hidden or locked: the more, the
// stricter, so its order is the reverse of a [Set]'s. A path covers what lies
// beneath it. The top, which demands nothing, is Covering(). The zero value is
// not stated.
type Cover struct {
	paths []string // nil: not stated
}

// Covering is the cover of the given clean absolute paths.
func Covering(paths ...string) Cover {
	c := append(make([]string, 0, len(paths)), paths...)
	slices.Sort(c)
	return Cover{paths: slices.Compact(c)}
}

// Paths returns the paths in canonical order.
func (c Cover) Paths() []string { return slices.Clone(c.paths) }

// Check reports a cover that is not stated or holds a path that is not absolute.
func (c Cover) Check() error {
	if c.paths == nil {
		return ErrNotStated
	}
	for _, p := range c.paths {
		if !strings.HasPrefix(p, "/") || path.Clean(p) != p {
			return fmt.Errorf("path %q is not absolute and clean", p)
		}
		// A mount over the root is not what absolute paths lead to afterwards.
		if p == "/" {
			return fmt.Errorf("path / cannot be covered: nothing beneath it would be")
		}
	}
	return nil
}

// Over lists the paths that limit demands and c does not cover.
func (c Cover) Over(limit Cover) []string {
	if c.paths == nil || limit.paths == nil {
		return []string{ErrNotStated.Error()}
	}
	var over []string
	for _, p := range limit.paths {
		if !slices.ContainsFunc(c.paths, func(q string) bool { return Beneath(p, q) }) {
			over = append(over, "without "+p)
		}
	}
	return over
}

// Meet returns the paths of both.
func (c Cover) Meet(d Cover) (Cover, error) {
	if c.paths == nil || d.paths == nil {
		return Cover{}, ErrNotStated
	}
	return Covering(append(c.Paths(), d.paths...)...), nil
}

func (c Cover) String() string {
	switch {
	case c.paths == nil:
		return ErrNotStated.Error()
	case len(c.paths) == 0:
		return string(None)
	}
	return strings.Join(c.paths, ", ")
}

// MarshalJSON writes an array of paths.
func (c Cover) MarshalJSON() ([]byte, error) {
	if c.paths == nil {
		return nil, ErrNotStated
	}
	return json.Marshal(c.paths)
}

// UnmarshalJSON reads what MarshalJSON writes.
func (c *Cover) UnmarshalJSON(data []byte) error {
	var paths []string
	if err := json.Unmarshal(data, &paths); err != nil {
		return err
	}
	if paths == nil {
		return fmt.Errorf("want an array of paths")
	}
	*c = Covering(paths...)
	return nil
}

// AppendCanonical writes what MarshalJSON does. It implements [canon.Appender].
func (c Cover) AppendCanonical(out []byte) ([]byte, bool) { return canon.Append(out, c.paths) }

// ReadCanonical reads what MarshalJSON writes. It implements [canon.Value].
func (c *Cover) ReadCanonical(r *canon.Reader) bool {
	paths := []string{}
	ok := r.List(func() bool {
		p, ok := r.Text()
		if !ok || (len(paths) > 0 && p <= paths[len(paths)-1]) {
			return false
		}
		paths = append(paths, p)
		return true
	})
	*c = Cover{paths: paths}
	return ok
}

// Beneath reports whether the clean absolute path p is dir or lies under it.
func Beneath(p, dir string) bool {
	return p == dir || dir == "/" || strings.HasPrefix(p, dir+"/")
}
