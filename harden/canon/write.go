package canon

import (
	"encoding"
	"maps"
	"reflect"
	"slices"
	"strconv"
)

// Append appends the canonical form of v, if it is one that [Read] takes.
// Whatever is not stated, nil, negative or not plain is for the slower writer.
func Append(out []byte, v any) ([]byte, bool) { return write(out, reflect.ValueOf(v)) }

// AppendText appends a string, if it is plain.
func AppendText(out []byte, s string) ([]byte, bool) {
	for i := range len(s) {
		if !plain(s[i]) {
			return out, false
		}
	}
	return append(append(append(out, '"'), s...), '"'), true
}

// AppendNumber appends an integer, if it is short and not negative.
func AppendNumber(out []byte, n int64) ([]byte, bool) {
	return strconv.AppendInt(out, n, 10), n >= 0 && n < 1e15
}

func write(out []byte, v reflect.Value) ([]byte, bool) {
	if !v.IsValid() {
		return out, false
	}
	p := planOf(v.Type())
	switch p.form {
	case itself:
		return v.Interface().(Appender).AppendCanonical(out)
	case text:
		s, err := v.Interface().(encoding.TextMarshaler).MarshalText()
		if err != nil {
			return out, false
		}
		return AppendText(out, string(s))
	case object:
		return writeObject(out, v, p.members)
	case unknown:
		return out, false
	}
	switch v.Kind() {
	case reflect.String:
		return AppendText(out, v.String())
	case reflect.Bool:
		return strconv.AppendBool(out, v.Bool()), true
	case reflect.Int, reflect.Int64:
		return AppendNumber(out, v.Int())
	case reflect.Slice:
		return writeSlice(out, v)
	case reflect.Map:
		return writeMap(out, v)
	}
	return out, false
}

func writeSlice(out []byte, v reflect.Value) (_ []byte, ok bool) {
	if v.IsNil() {
		return out, false
	}
	out = append(out, '[')
	for i := range v.Len() {
		if i > 0 {
			out = append(out, ',')
		}
		if out, ok = write(out, v.Index(i)); !ok {
			return out, false
		}
	}
	return append(out, ']'), true
}

func writeMap(out []byte, v reflect.Value) (_ []byte, ok bool) {
	if v.IsNil() || v.Type().Key().Kind() != reflect.String {
		return out, false
	}
	values := make(map[string]reflect.Value, v.Len())
	for it := v.MapRange(); it.Next(); {
		values[it.Key().String()] = it.Value()
	}
	out = append(out, '{')
	for i, name := range slices.Sorted(maps.Keys(values)) {
		if i > 0 {
			out = append(out, ',')
		}
		if out, ok = AppendText(out, name); !ok {
			return out, false
		}
		if out, ok = write(append(out, ':'), values[name]); !ok {
			return out, false
		}
	}
	return append(out, '}'), true
}

func writeObject(out []byte, v reflect.Value, members []member) (_ []byte, ok bool) {
	out = append(out, '{')
	some := false
	for _, m := range members {
		f := v.Field(m.field)
		if m.omitEmpty && f.Len() == 0 {
			continue
		}
		if some {
			out = append(out, ',')
		}
		if out, ok = write(append(out, m.name...), f); !ok {
			return out, false
		}
		some = true
	}
	return append(out, '}'), true
}
