package canon

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"reflect"
)

// Decode reads canonical JSON into v, which must point to a struct that encodes
// to the same bytes again. What has a Check method is checked first, so that a
// member left out is named.
func Decode(data []byte, v any) error {
	// Nearly every document that is read is in its one form, and tells so sooner
	// this way.
	exact := Read(data, v)
	if !exact {
		if err := json.Unmarshal(data, v); err != nil {
			return err
		}
	}
	if c, ok := v.(interface{ Check() error }); ok {
		if err := c.Check(); err != nil {
			return cmp.Or(unknownMember(data, v), err)
		}
	}
	if exact {
		return nil
	}
	again, err := Encode(v)
	if err != nil {
		return err
	}
	if bytes.Equal(again, data) {
		return nil
	}
	return cmp.Or(unknownMember(data, v), fmt.Errorf("not in canonical form (RFC 8785): byte %d differs", firstDifference(again, data)))
}

// unknownMember names a member of data that v has no place for, which the
// decoder left out: often what is behind another fault.
func unknownMember(data []byte, v any) error {
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.DisallowUnknownFields()
	return dec.Decode(reflect.New(reflect.TypeOf(v).Elem()).Interface())
}

func firstDifference(a, b []byte) int {
	for i := range min(len(a), len(b)) {
		if a[i] != b[i] {
			return i
		}
	}
	return min(len(a), len(b))
}
