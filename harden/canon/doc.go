// Package canon reads and writes canonical JSON: RFC 8785 (JCS), of values that
// have one form, which is what is signed and hashed.
//
// Nearly every document is plain: printable ASCII without escapes, integers of
// at most fifteen digits, members in the order of the struct's fields, none
// missing and none more, lists as their types order them. [Append] and [Read]
// handle those and no others, in one pass, and what Read takes encodes to the
// bytes that it was read from. [Encode] and [Decode] try them first, take all
// the rest by encoding/json, and explain faults. Standard library only.
package canon
