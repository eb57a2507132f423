// Package strict reads the members of JSON objects that strangers wrote.
//
// encoding/json takes the last of two members of one name and matches names
// without regard to case, so that two readers of one document can see two
// documents. Here a name counts as it is spelled, once.
package strict

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/immure-dev/immure/harden/canon"
)

const (
	// maxMembers bounds one object: no document of ours has more than twenty.
	maxMembers = 256
	// maxDepth bounds how deep a document may nest: far above what any has.
	maxDepth = 32
)

// Document reports a JSON object that two readers could take for two: a member
// of it, or of any object in it, that appears twice or in two spellings that
// differ in case alone, one of the known members in another case, bytes after
// its end, text that is not UTF-8. The known member "a/b" is b of the object a,
// or of each object in the list a.
func Document(data []byte, known ...string) error {
	s, err := open(data)
	if err != nil {
		return err
	}
	if err := document(s, known, 0); err != nil {
		return err
	}
	return s.End()
}

func document(s *canon.Scanner, known []string, depth int) error {
	if depth > maxDepth {
		return fmt.Errorf("nested deeper than %d", maxDepth)
	}
	switch s.Next() {
	case '{':
		n := newNames(known)
		return s.Object(func(raw []byte) error {
			name, err := n.add(raw)
			if err != nil {
				return err
			}
			if err := document(s, within(known, name), depth+1); err != nil {
				return fmt.Errorf("%.80q: %w", name, err)
			}
			return nil
		})
	case '[':
		return s.Array(func() error { return document(s, known, depth+1) })
	}
	s.Value()
	return nil
}

// within are the known members of the object called name.
func within(known []string, name string) (inner []string) {
	for _, k := range known {
		if of, rest, deeper := strings.Cut(k, "/"); deeper && of == name {
			inner = append(inner, rest)
		}
	}
	return inner
}

// Members returns the members of the one object in data. Two names that differ
// in case alone are a repetition, and a name that differs from a known one in
// case alone refuses; other names are the caller's to judge.
func Members(data []byte, known ...string) (map[string]json.RawMessage, error) {
	s, err := open(data)
	if err != nil {
		return nil, err
	}
	members, n := make(map[string]json.RawMessage), newNames(known)
	err = s.Object(func(raw []byte) error {
		name, err := n.add(raw)
		members[name] = s.Value()
		return err
	})
	if err == nil {
		err = s.End()
	}
	if err != nil {
		return nil, err
	}
	return members, nil
}

// open wants one JSON object.
func open(data []byte) (*canon.Scanner, error) {
	s, err := canon.Scan(data)
	if err != nil {
		return nil, err
	}
	if s.Next() != '{' {
		return nil, errors.New("not a JSON object")
	}
	return s, nil
}

// names are those of one object.
type names struct {
	known  []string
	folded map[string]bool
}

func newNames(known []string) *names { return &names{known, make(map[string]bool)} }

// add takes a name as it stands in the document, quotes included.
func (n *names) add(raw []byte) (name string, err error) {
	if name, err = canon.Unquote(raw); err != nil {
		return "", err
	}
	fold := strings.ToLower(strings.ToUpper(name))
	if n.folded[fold] {
		return name, fmt.Errorf("member %q appears twice", name)
	}
	for _, k := range n.known {
		if name != k && strings.EqualFold(name, k) {
			return name, fmt.Errorf("member %q is not spelled %q", name, k)
		}
	}
	if n.folded[fold] = true; len(n.folded) > maxMembers {
		return name, fmt.Errorf("more than %d members", maxMembers)
	}
	return name, nil
}

// Only is [Members] of an object that has no member but the known ones.
func Only(data []byte, known ...string) (map[string]json.RawMessage, error) {
	members, err := Members(data, known...)
	if err != nil {
		return nil, err
	}
	for name := range members {
		if !slices.Contains(known, name) {
			return nil, fmt.Errorf("unknown member %q", name)
		}
	}
	return members, nil
}

// String reads a member that must be a string and present.
func String(members map[string]json.RawMessage, name string) (string, error) {
	raw, ok := members[name]
	if !ok {
		return "", fmt.Errorf("no member %q", name)
	}
	var s string
	if len(raw) == 0 || raw[0] != '"' {
		return "", fmt.Errorf("member %q is not a string", name)
	}
	err := json.Unmarshal(raw, &s)
	return s, err
}

// Array reads a member that must be an array of at most limit elements.
func Array(members map[string]json.RawMessage, name string, limit int) ([]json.RawMessage, error) {
	raw, ok := members[name]
	if !ok {
		return nil, fmt.Errorf("no member %q", name)
	}
	var list []json.RawMessage
	if len(raw) == 0 || raw[0] != '[' {
		return nil, fmt.Errorf("member %q is not an array", name)
	}
	if err := json.Unmarshal(raw, &list); err != nil {
		return nil, err
	}
	if len(list) > limit {
		return nil, fmt.Errorf("member %q has more than %d elements", name, limit)
	}
	return list, nil
}
