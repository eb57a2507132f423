package grant

import (
	"fmt"
	"strconv"

	"github.com/immure-dev/immure/harden/order"
)

// A Umask is a file mode creation mask in four octal digits, "0022". A mask
// that takes more bits away is stricter; "0000" is the top. The empty string
// is not stated. Source: umask(2).
type Umask string

// UmaskOf is the mask m & 0777.
func UmaskOf(m uint32) Umask { return Umask(fmt.Sprintf("%04o", m&0o777)) }

// Bits returns the mask's bits.
func (u Umask) Bits() (uint32, error) {
	if u == "" {
		return 0, order.ErrNotStated
	}
	m, err := strconv.ParseUint(string(u), 8, 32)
	if err != nil || UmaskOf(uint32(m)) != u {
		return 0, fmt.Errorf("umask %q: write four octal digits such as 0022", string(u))
	}
	return uint32(m), nil
}

// Check reports a malformed mask, or one that is not stated.
func (u Umask) Check() error {
	_, err := u.Bits()
	return err
}

// Over returns u when it leaves a bit that limit takes away.
func (u Umask) Over(limit Umask) []string {
	a, err1 := u.Bits()
	b, err2 := limit.Bits()
	if err1 == nil && err2 == nil && a&b == b {
		return nil
	}
	return []string{string(u)}
}

// Meet returns the mask that takes away what either does.
func (u Umask) Meet(v Umask) (Umask, error) {
	a, err1 := u.Bits()
	b, err2 := v.Bits()
	if err1 != nil || err2 != nil {
		return "", order.ErrNotStated
	}
	return UmaskOf(a | b), nil
}
