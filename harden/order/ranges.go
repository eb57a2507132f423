package order

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// A Range is an interval of integers, both ends included, written "5",
// "1..10" or "any". One range is within another when it lies inside. The zero
// value is not stated.
type Range struct {
	stated bool
	lo, hi int64
}

// Between is the range from lo to hi. It is not stated when lo is above hi.
func Between(lo, hi int64) Range {
	if lo > hi {
		return Range{}
	}
	return Range{stated: true, lo: lo, hi: hi}
}

// Only is the range of n alone.
func Only(n int64) Range { return Between(n, n) }

// AnyRange is the top of the order.
func AnyRange() Range { return Between(math.MinInt64, math.MaxInt64) }

// Bounds returns both ends.
func (r Range) Bounds() (lo, hi int64) { return r.lo, r.hi }

// One returns the only number of the range, if there is only one.
func (r Range) One() (int64, bool) { return r.lo, r.stated && r.lo == r.hi }

// Check reports a range that is not stated.
func (r Range) Check() error {
	if !r.stated {
		return ErrNotStated
	}
	return nil
}

// Covers reports whether s lies inside r.
func (r Range) Covers(s Range) bool {
	return r.stated && s.stated && r.lo <= s.lo && s.hi <= r.hi
}

// Common returns the intersection.
func (r Range) Common(s Range) (Range, bool) {
	m := Between(max(r.lo, s.lo), min(r.hi, s.hi))
	return m, r.stated && s.stated && m.stated
}

// Over returns r's text when it is not inside limit.
func (r Range) Over(limit Range) []string {
	if limit.Covers(r) {
		return nil
	}
	return []string{r.String()}
}

// Meet returns the intersection, or ErrConflict when there is none.
func (r Range) Meet(s Range) (Range, error) {
	if m, ok := r.Common(s); ok {
		return m, nil
	}
	return Range{}, ErrConflict
}

func (r Range) String() string {
	switch {
	case !r.stated:
		return ErrNotStated.Error()
	case r == AnyRange():
		return Any
	case r.lo == r.hi:
		return strconv.FormatInt(r.lo, 10)
	}
	return fmt.Sprintf("%d..%d", r.lo, r.hi)
}

// ParseRange reads what String writes.
func ParseRange(s string) (Range, error) {
	if s == Any {
		return AnyRange(), nil
	}
	low, high, ok := strings.Cut(s, "..")
	if !ok {
		high = low
	}
	lo, err1 := strconv.ParseInt(low, 10, 64)
	hi, err2 := strconv.ParseInt(high, 10, 64)
	if r := Between(lo, hi); err1 == nil && err2 == nil && r.String() == s {
		return r, nil
	}
	return Range{}, fmt.Errorf("%q is no range: write 5, 1..10 or any", s)
}

// MarshalText writes the range as String does.
func (r Range) MarshalText() ([]byte, error) {
	if err := r.Check(); err != nil {
		return nil, err
	}
	return []byte(r.String()), nil
}

// UnmarshalText reads what MarshalText writes.
func (r *Range) UnmarshalText(text []byte) error {
	var err error
	*r, err = ParseRange(string(text))
	return err
}
