package order

import (
	"fmt"
	"strconv"
	"strings"
)

// An Exact is a value that is within itself and within "any" only. The empty
// string is not stated; "none" says that there is nothing.
type Exact string

// None is the [Exact] value of something that is not set at all.
const None Exact = "none"

// Check reports a value that is not stated.
func (e Exact) Check() error {
	if e == "" {
		return ErrNotStated
	}
	return nil
}

// Over returns e when limit is another value than e and not "any".
func (e Exact) Over(limit Exact) []string {
	if e != "" && (limit == e || limit == Any) {
		return nil
	}
	return []string{string(e)}
}

// Meet returns the value that is not "any", or ErrConflict when they differ.
func (e Exact) Meet(f Exact) (Exact, error) {
	switch {
	case e == f || f == Any:
		return e, nil
	case e == Any:
		return f, nil
	}
	return "", ErrConflict
}

// A Version is the least dotted version required, such as "1.1.0": a higher
// one is stricter, "any" requires none. The empty string is not stated.
type Version string

// Check reports a version that is not stated or not three dotted numbers.
func (v Version) Check() error {
	if v == "" {
		return ErrNotStated
	}
	if _, ok := v.parts(); !ok {
		return fmt.Errorf("%q is no version: write 1.2.3 or any", v)
	}
	return nil
}

func (v Version) parts() (p [3]uint64, ok bool) {
	if v == Any {
		return p, true
	}
	fields := strings.Split(string(v), ".")
	if len(fields) != len(p) {
		return p, false
	}
	for i, f := range fields {
		n, err := strconv.ParseUint(f, 10, 31)
		if err != nil || strconv.FormatUint(n, 10) != f {
			return p, false
		}
		p[i] = n
	}
	return p, true
}

// atLeast reports whether v requires as much as w does.
func (v Version) atLeast(w Version) bool {
	p, ok1 := v.parts()
	q, ok2 := w.parts()
	if !ok1 || !ok2 {
		return false
	}
	if w == Any || v == Any {
		return w == Any
	}
	for i := range p {
		if p[i] != q[i] {
			return p[i] > q[i]
		}
	}
	return true
}

// Over returns v when it is lower than limit.
func (v Version) Over(limit Version) []string {
	if v.atLeast(limit) {
		return nil
	}
	return []string{string(v)}
}

// Meet returns the higher version.
func (v Version) Meet(w Version) (Version, error) {
	switch {
	case v.atLeast(w):
		return v, nil
	case w.atLeast(v):
		return w, nil
	}
	return "", ErrNotStated
}
