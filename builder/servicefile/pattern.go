package servicefile

import (
	"regexp"
	"sync"
)

// pattern compiles a regular expression when it is first asked for. Compiling
// all of them takes longer than half of what else happens before main, and a
// program that links this package and reads no service file would pay for it.
func pattern(expression string) func() *regexp.Regexp {
	return sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(expression) })
}
