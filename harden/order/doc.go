// Package order holds the kinds of order that the facets of a boundary have:
// a [Level] in a chain, a [Limit], a [Range] of integers, an [Exact] value, a
// [Version], a [Set] of grants, a [Cover] of paths that must be hidden.
//
// Every kind has a top written "any", which is a value and never an absence;
// its zero value means "not stated" and is comparable with nothing. For every
// kind Over(limit) lists what the value permits beyond the limit and is empty
// exactly when the value is within it, and Meet gives the greatest value
// within both.
//
// The package knows nothing of containers: what a capability, a port or a
// mount slot is stands in package harden. Standard library only.
package order

import (
	"errors"
)

// Any is how the top of every order is written.
const Any = "any"

// ErrConflict reports that two values have nothing in common, so that no value
// is within both.
var ErrConflict = errors.New("nothing is within both")

// ErrNotStated reports a value that was left out.
var ErrNotStated = errors.New("not stated")

// decodeAny reports whether data is the JSON string "any".
func decodeAny(data []byte) bool { return string(data) == `"any"` }
