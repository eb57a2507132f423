package grant

import (
	"fmt"
	"strconv"
	"strings"
)

// A Device is a device node and what may be done with it, written as the
// device cgroup writes it: "c 1:3 rwm", "c 136:* rw", "a *:* rwm". The letters
// are read, write and mknod, in that order.
//
// Source: Linux Documentation/admin-guide/cgroup-v1/devices.rst.
type Device string

// split returns type, major, minor and access.
func (d Device) split() (f [4]string, ok bool) {
	parts := strings.Split(string(d), " ")
	if len(parts) != 3 {
		return f, false
	}
	major, minor, ok := strings.Cut(parts[1], ":")
	f = [4]string{parts[0], major, minor, parts[2]}
	return f, ok && (f[0] == "a" || f[0] == "b" || f[0] == "c") && deviceNumber(major) && deviceNumber(minor) && deviceAccess(f[3])
}

// deviceNumber reports a number of at most ten digits, or "*".
func deviceNumber(s string) bool {
	n, err := strconv.ParseUint(s, 10, 34)
	return s == "*" || (err == nil && strconv.FormatUint(n, 10) == s && len(s) <= 10)
}

// deviceAccess reports some of the letters r, w and m, in this order.
func deviceAccess(s string) bool {
	rest := strings.TrimPrefix(strings.TrimPrefix(strings.TrimPrefix(s, "r"), "w"), "m")
	return s != "" && rest == ""
}

func wild(wide, narrow, all string) bool { return wide == all || wide == narrow }

// Covers reports whether d permits all that e does.
func (d Device) Covers(e Device) bool {
	a, ok1 := d.split()
	b, ok2 := e.split()
	return ok1 && ok2 && wild(a[0], b[0], "a") && wild(a[1], b[1], "*") && wild(a[2], b[2], "*") &&
		strings.Trim(b[3], a[3]) == ""
}

// Common returns what both permit.
func (d Device) Common(e Device) (Device, bool) {
	a, ok1 := d.split()
	b, ok2 := e.split()
	if !ok1 || !ok2 {
		return "", false
	}
	var out [3]string
	for i, all := range []string{"a", "*", "*"} {
		switch {
		case wild(a[i], b[i], all):
			out[i] = b[i]
		case wild(b[i], a[i], all):
			out[i] = a[i]
		default:
			return "", false
		}
	}
	var access strings.Builder
	for _, r := range a[3] {
		if strings.ContainsRune(b[3], r) {
			access.WriteRune(r)
		}
	}
	if access.Len() == 0 {
		return "", false
	}
	return Device(fmt.Sprintf("%s %s:%s %s", out[0], out[1], out[2], access.String())), true
}

// Check reports a malformed device.
func (d Device) Check() error {
	if _, ok := d.split(); !ok {
		return fmt.Errorf("device %q: write type major:minor access, as c 1:3 rwm", string(d))
	}
	return nil
}

func (d Device) String() string { return string(d) }
