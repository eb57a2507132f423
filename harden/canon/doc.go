// Package canon reads and writes canonical JSON (RFC 8785) of values that have
// one form: members in the order of the struct's fields, none missing and none
// more, lists as their types order them.
//
// What it reads needs no second look: a value that was read encodes to the
// bytes that it was read from. It takes plain documents only, of printable
// ASCII without escapes and of integers of at most fifteen digits, and says of
// all others no more than that it does not take them: whoever calls it has a
// slower way, by encoding/json, that takes all and explains faults. Standard
// library only.
package canon
