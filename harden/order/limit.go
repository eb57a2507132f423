package order

import (
	"encoding/json"
	"fmt"
	"math"
	"strconv"

	"github.com/immure-dev/immure/harden/canon"
)

// MaxLimit is the largest finite [Limit]: canonical JSON numbers are exact to
// 2^53-1 only (RFC 8785, section 3.2.2.3). Larger values are written "any".
const MaxLimit = 1<<53 - 1

// A Limit is a number that may not be exceeded. Its top is unlimited, "any".
// The zero value is not stated; zero itself is AtMost(0).
type Limit struct {
	stated bool
	n      int64
}

// AtMost is the limit n. A negative n, or one above MaxLimit, is unlimited, as
// the kernel and the runtime write it.
func AtMost(n int64) Limit {
	if n < 0 || n > MaxLimit {
		return Unlimited()
	}
	return Limit{stated: true, n: n}
}

// Unlimited is the top of the order.
func Unlimited() Limit { return Limit{stated: true, n: math.MaxInt64} }

// Value returns the number, and whether there is one: false when the limit is
// unlimited or not stated.
func (l Limit) Value() (int64, bool) { return l.n, l.stated && l.n != math.MaxInt64 }

// Check reports a limit that is not stated.
func (l Limit) Check() error {
	if !l.stated {
		return ErrNotStated
	}
	return nil
}

// Over returns l's text when it is larger than limit.
func (l Limit) Over(limit Limit) []string {
	if l.stated && limit.stated && l.n <= limit.n {
		return nil
	}
	return []string{l.String()}
}

// Meet returns the smaller limit.
func (l Limit) Meet(m Limit) (Limit, error) {
	if !l.stated || !m.stated {
		return Limit{}, ErrNotStated
	}
	return Limit{stated: true, n: min(l.n, m.n)}, nil
}

func (l Limit) String() string {
	switch n, ok := l.Value(); {
	case ok:
		return strconv.FormatInt(n, 10)
	case l.stated:
		return Any
	}
	return ErrNotStated.Error()
}

// MarshalJSON writes a number, or "any".
func (l Limit) MarshalJSON() ([]byte, error) {
	switch n, ok := l.Value(); {
	case ok:
		return strconv.AppendInt(nil, n, 10), nil
	case l.stated:
		return []byte(`"any"`), nil
	}
	return nil, ErrNotStated
}

// UnmarshalJSON reads what MarshalJSON writes.
func (l *Limit) UnmarshalJSON(data []byte) error {
	if decodeAny(data) {
		*l = Unlimited()
		return nil
	}
	var n int64
	if err := json.Unmarshal(data, &n); err != nil {
		return fmt.Errorf("want a number or \"any\": %w", err)
	}
	if n < 0 || n > MaxLimit {
		return fmt.Errorf("%d is not between 0 and %d", n, int64(MaxLimit))
	}
	*l = AtMost(n)
	return nil
}

// AppendCanonical writes what MarshalJSON does. It implements [canon.Appender].
func (l Limit) AppendCanonical(out []byte) ([]byte, bool) {
	if n, ok := l.Value(); ok {
		return canon.AppendNumber(out, n)
	}
	return append(out, `"any"`...), l.stated
}

// ReadCanonical reads what MarshalJSON writes. It implements [canon.Value].
func (l *Limit) ReadCanonical(r *canon.Reader) bool {
	if r.Is(`"any"`) {
		*l = Unlimited()
		return true
	}
	n, ok := r.Number()
	*l = AtMost(n)
	return ok && n <= MaxLimit
}
