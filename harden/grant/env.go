package grant

import (
	"fmt"
	"slices"
	"strings"
)

// An Env is a [Pattern] over "NAME=value". "HELLO_*" allows every name with
// that prefix, "LANG=*" every value of one name, "LANG=C" one value.
//
// Variables that change what the dynamic loader does are never meant by a
// wildcard in the name: see [Env.Loader].
type Env Pattern

// loaderVariables are read by ld.so(8) or by the C library before main. LD_*
// as a whole is one of them.
var loaderVariables = []string{"GLIBC_TUNABLES", "GCONV_PATH", "LOCPATH", "NLSPATH", "MALLOC_TRACE", "RESOLV_HOST_CONF", "LOCALDOMAIN", "HOSTALIASES", "GETCONF_DIR", "TZDIR"}

func loaderVariable(name string) bool {
	return strings.HasPrefix(name, "LD_") || slices.Contains(loaderVariables, name)
}

// name returns the variable's name and whether it is complete.
func (e Env) name() (name string, whole bool) {
	text, _, err := Pattern(e).split()
	if err != nil {
		return "", false
	}
	name, _, whole = strings.Cut(text, "=")
	return name, whole
}

// Loader reports whether e names a variable of the dynamic loader outright. No
// boundary may be signed with one.
func (e Env) Loader() bool {
	name, whole := e.name()
	return whole && loaderVariable(name)
}

// Covers is as [Pattern.Covers], but a loader variable is covered only by a
// pattern that spells its whole name.
func (e Env) Covers(f Env) bool {
	if !Pattern(e).Covers(Pattern(f)) {
		return false
	}
	_, whole := e.name()
	return whole || !f.Loader()
}

// Common returns the narrower of two when one covers the other.
func (e Env) Common(f Env) (Env, bool) {
	if e.Covers(f) {
		return f, true
	}
	return e, f.Covers(e)
}

// Check reports a malformed pattern, or one without a name.
func (e Env) Check() error {
	if err := Pattern(e).Check(); err != nil {
		return err
	}
	name, whole := e.name()
	if _, prefix, _ := Pattern(e).split(); !whole && !prefix {
		return fmt.Errorf("environment %q: write NAME=value, NAME=* or NAME_*", string(e))
	}
	if whole && name == "" {
		return fmt.Errorf("environment %q has no name", string(e))
	}
	return nil
}

func (e Env) String() string { return string(e) }
