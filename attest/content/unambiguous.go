package content

import "github.com/immure-dev/immure/attest/internal/strict"

// Unambiguous reports a JSON document that two readers could take for two
// documents: a member that appears twice or in two spellings that differ in
// case alone, one of the known members in another case, bytes after the end,
// text that is not UTF-8. A known member "a/b" is b of the outermost object's a.
func Unambiguous(data []byte, known ...string) error {
	return strict.Document(data, known...)
}
