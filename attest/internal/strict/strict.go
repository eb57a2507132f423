// Package strict reads the members of JSON objects that strangers wrote.
//
// encoding/json takes the last of two members of one name and matches names
// without regard to case, so that two readers of one document can see two
// documents. Here a name counts as it is spelled, once.
package strict

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode/utf8"
)

// maxMembers bounds one object: no document of ours has more than twenty.
const maxMembers = 256

// Members returns the members of the one object in data. Two names that differ
// in case alone are a repetition, and a name that differs from a known one in
// case alone refuses; other names are the caller's to judge.
func Members(data []byte, known ...string) (map[string]json.RawMessage, error) {
	if !utf8.Valid(data) {
		return nil, errors.New("not UTF-8")
	}
	dec := json.NewDecoder(bytes.NewReader(data))
	if t, err := dec.Token(); err != nil {
		return nil, err
	} else if t != json.Delim('{') {
		return nil, errors.New("not a JSON object")
	}
	members, folded := make(map[string]json.RawMessage), make(map[string]bool)
	for dec.More() {
		name, value, err := member(dec)
		if err != nil {
			return nil, err
		}
		fold := strings.ToLower(strings.ToUpper(name))
		if folded[fold] {
			return nil, fmt.Errorf("member %q appears twice", name)
		}
		for _, k := range known {
			if name != k && strings.EqualFold(name, k) {
				return nil, fmt.Errorf("member %q is not spelled %q", name, k)
			}
		}
		folded[fold], members[name] = true, value
		if len(members) > maxMembers {
			return nil, fmt.Errorf("more than %d members", maxMembers)
		}
	}
	if _, err := dec.Token(); err != nil {
		return nil, err
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("more bytes after the document")
	}
	return members, nil
}

func member(dec *json.Decoder) (name string, value json.RawMessage, err error) {
	t, err := dec.Token()
	if err != nil {
		return "", nil, err
	}
	name, ok := t.(string)
	if !ok {
		return "", nil, fmt.Errorf("member name is %v", t)
	}
	return name, value, dec.Decode(&value)
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
