package harden

import (
	"fmt"
	"strconv"
	"strings"
)

// An Action is what a filter answers to a call: "allow", "log", "trace N",
// "notify", "errno N", "trap N", "killThread" or "killProcess", where N is the
// filter's 16-bit return data in decimal.
//
// Source: include/uapi/linux/seccomp.h, SECCOMP_RET_*.
type Action string

// The actions without data.
const (
	Allow       Action = "allow"
	Log         Action = "log"
	Notify      Action = "notify"
	KillThread  Action = "killThread"
	KillProcess Action = "killProcess"
)

// Errno answers with the error number n. Zero fakes success: the call is not
// made and the caller believes that it was.
func Errno(n uint16) Action { return Action(fmt.Sprintf("errno %d", n)) }

// The classes of actions, the strictest first. Trace and notify hand the
// decision to someone else and so count as allow; log lets through as well.
const (
	killsProcess = iota
	killsThread
	traps
	denies
	permits
	fakes // errno 0, incomparable with every other
	malformed
)

func (a Action) class() int {
	switch a {
	case KillProcess:
		return killsProcess
	case KillThread:
		return killsThread
	case Allow, Log, Notify:
		return permits
	}
	verb, data, _ := strings.Cut(string(a), " ")
	n, err := strconv.ParseUint(data, 10, 16)
	if err != nil || strconv.FormatUint(n, 10) != data {
		return malformed
	}
	switch {
	case verb == "trace":
		return permits
	case verb == "trap":
		return traps
	case verb == "errno" && n == 0:
		return fakes
	case verb == "errno":
		return denies
	}
	return malformed
}

// within reports whether a is at least as strict as b.
func (a Action) within(b Action) bool {
	x, y := a.class(), b.class()
	if x == fakes || y == fakes {
		return x == y
	}
	return x <= y && y < fakes
}

// Permits reports whether the action may let the call through.
func (a Action) Permits() bool { return a.class() == permits }

// Check reports an action that is none.
func (a Action) Check() error {
	if a.class() == malformed {
		return fmt.Errorf("%q is no seccomp action", string(a))
	}
	return nil
}
