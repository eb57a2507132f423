package content

import (
	"encoding/json"
	"errors"
	"fmt"

	"github.com/immure-dev/immure/attest/internal/strict"
)

// maxDepth bounds how deep a document may nest: far above what any has.
const maxDepth = 32

// Unambiguous reports a JSON document that two readers could take for two
// documents: a member that appears twice or in two spellings that differ in
// case alone, one of the known members of the outermost object in another case,
// bytes after the end, text that is not UTF-8.
func Unambiguous(data []byte, known ...string) error {
	return unambiguous(data, known, 0)
}

func unambiguous(data []byte, known []string, depth int) error {
	if depth > maxDepth {
		return fmt.Errorf("nested deeper than %d", maxDepth)
	}
	members, err := strict.Members(data, known...)
	if err != nil {
		return err
	}
	for name, value := range members {
		if err := ofValue(value, depth+1); err != nil {
			return fmt.Errorf("%.80q: %w", name, err)
		}
	}
	return nil
}

func ofValue(value json.RawMessage, depth int) error {
	if len(value) == 0 {
		return errors.New("no value")
	}
	switch value[0] {
	case '{':
		return unambiguous(value, nil, depth)
	case '[':
		var list []json.RawMessage
		if depth > maxDepth {
			return fmt.Errorf("nested deeper than %d", maxDepth)
		}
		if err := json.Unmarshal(value, &list); err != nil {
			return err
		}
		for _, v := range list {
			if err := ofValue(v, depth+1); err != nil {
				return err
			}
		}
	}
	return nil
}
