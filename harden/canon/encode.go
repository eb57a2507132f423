package canon

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"unicode/utf16"
)

// Encode returns v as JSON in the form of RFC 8785 (JCS): members sorted by
// their names' UTF-16 units, no spaces, the shortest escapes. Numbers must be
// integers of at most 53 bits; strings must be UTF-8.
func Encode(v any) ([]byte, error) {
	if out, ok := Append(make([]byte, 0, 4<<10), v); ok {
		return out, nil
	}
	plain, err := encode(v)
	if err != nil {
		return nil, err
	}
	dec := json.NewDecoder(bytes.NewReader(plain))
	dec.UseNumber()
	var tree any
	if err := dec.Decode(&tree); err != nil {
		return nil, err
	}
	return appendCanonical(make([]byte, 0, len(plain)), tree)
}

// encode is the plain encoding, without escapes for HTML or a newline.
func encode(v any) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}

func appendCanonical(out []byte, v any) ([]byte, error) {
	switch v := v.(type) {
	case nil:
		return append(out, "null"...), nil
	case bool:
		return strconv.AppendBool(out, v), nil
	case json.Number:
		n, err := strconv.ParseInt(v.String(), 10, 64)
		if err != nil || n > 1<<53-1 || n < -(1<<53-1) {
			return nil, fmt.Errorf("number %s is no integer of at most 53 bits", v)
		}
		return strconv.AppendInt(out, n, 10), nil
	case string:
		return appendString(out, v), nil
	case []any:
		return appendArray(out, v)
	case map[string]any:
		return appendObject(out, v)
	}
	return nil, fmt.Errorf("cannot encode %T", v)
}

func appendArray(out []byte, list []any) (_ []byte, err error) {
	out = append(out, '[')
	for i, e := range list {
		if i > 0 {
			out = append(out, ',')
		}
		if out, err = appendCanonical(out, e); err != nil {
			return nil, err
		}
	}
	return append(out, ']'), nil
}

func appendObject(out []byte, members map[string]any) (_ []byte, err error) {
	names := slices.SortedFunc(maps.Keys(members), func(a, b string) int {
		return slices.Compare(utf16.Encode([]rune(a)), utf16.Encode([]rune(b)))
	})
	out = append(out, '{')
	for i, name := range names {
		if i > 0 {
			out = append(out, ',')
		}
		out = append(appendString(out, name), ':')
		if out, err = appendCanonical(out, members[name]); err != nil {
			return nil, err
		}
	}
	return append(out, '}'), nil
}

// appendString escapes as RFC 8785, section 3.2.2.2 does.
func appendString(out []byte, s string) []byte {
	out = append(out, '"')
	for _, r := range s {
		switch {
		case r == '"' || r == '\\':
			out = append(out, '\\', byte(r))
		case r >= 0x20:
			out = append(out, string(r)...)
		default:
			out = appendControl(out, r)
		}
	}
	return append(out, '"')
}

func appendControl(out []byte, r rune) []byte {
	if i := bytes.IndexRune([]byte("\b\t\n\f\r"), r); i >= 0 {
		return append(out, '\\', "btnfr"[i])
	}
	return fmt.Appendf(out, `\u%04x`, r)
}
