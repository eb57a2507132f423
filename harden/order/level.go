package order

import (
	"fmt"
	"slices"
)

// A Level is one name of a [Chain]. The empty level is not stated.
type Level string

// A Chain orders levels, the strictest first.
type Chain []Level

// Check reports a level that is not stated or not of the chain.
func (c Chain) Check(l Level) error {
	if l == "" {
		return ErrNotStated
	}
	if !slices.Contains(c, l) {
		return fmt.Errorf("%q is none of %q", l, []Level(c))
	}
	return nil
}

// Over returns l when it is beyond limit, or when either is not of the chain.
func (c Chain) Over(l, limit Level) []string {
	i, j := slices.Index(c, l), slices.Index(c, limit)
	if i >= 0 && j >= 0 && i <= j {
		return nil
	}
	return []string{string(l)}
}

// Meet returns the stricter of two levels.
func (c Chain) Meet(a, b Level) (Level, error) {
	i, j := slices.Index(c, a), slices.Index(c, b)
	if i < 0 || j < 0 {
		return "", ErrNotStated
	}
	return c[min(i, j)], nil
}
