package canon

import (
	"bytes"
	"encoding"
	"reflect"
	"strconv"
)

// A Value reads and, see [Appender], writes itself where its form is not that
// of its Go type. It reports false when what comes next is not its one form.
type Value interface {
	ReadCanonical(r *Reader) bool
}

// An Appender appends its form. It reports false when that is not plain.
type Appender interface {
	AppendCanonical(out []byte) ([]byte, bool)
}

// Read reads all of data into what v points to. When it reports false, v is as
// it was.
func Read(data []byte, v any) bool {
	r := &Reader{data: data}
	fresh := reflect.New(reflect.TypeOf(v).Elem())
	if !r.read(fresh.Elem()) || len(r.data) > 0 {
		return false
	}
	reflect.ValueOf(v).Elem().Set(fresh.Elem())
	return true
}

// A Reader stands before the next value of a document.
type Reader struct {
	data []byte // what is left
}

// Is reads the given bytes if they come next.
func (r *Reader) Is(next string) bool {
	if len(r.data) < len(next) || string(r.data[:len(next)]) != next {
		return false
	}
	r.data = r.data[len(next):]
	return true
}

// Into reads the next value into what v points to.
func (r *Reader) Into(v any) bool { return r.read(reflect.ValueOf(v).Elem()) }

// List reads an array, whose elements f reads.
func (r *Reader) List(f func() bool) bool {
	if !r.Is("[") {
		return false
	}
	if r.Is("]") {
		return true
	}
	for f() {
		if r.Is("]") {
			return true
		}
		if !r.Is(",") {
			return false
		}
	}
	return false
}

// Text reads a string.
func (r *Reader) Text() (string, bool) {
	text, ok := r.text()
	return string(text), ok
}

func (r *Reader) text() ([]byte, bool) {
	if len(r.data) == 0 || r.data[0] != '"' {
		return nil, false
	}
	for i, c := range r.data[1:] {
		switch {
		case c == '"':
			text := r.data[1 : i+1]
			r.data = r.data[i+2:]
			return text, true
		case !plain(c):
			return nil, false
		}
	}
	return nil, false
}

// plain reports whether a byte of a string stands for itself, however it is
// written.
func plain(c byte) bool { return c >= 0x20 && c <= 0x7e && c != '"' && c != '\\' }

// Number reads an integer that is not negative.
func (r *Reader) Number() (int64, bool) {
	const most = 15
	n := 0
	for n < len(r.data) && n <= most && r.data[n] >= '0' && r.data[n] <= '9' {
		n++
	}
	if n == 0 || n > most || (n > 1 && r.data[0] == '0') {
		return 0, false
	}
	i, err := strconv.ParseInt(string(r.data[:n]), 10, 64)
	r.data = r.data[n:]
	return i, err == nil
}

func (r *Reader) read(v reflect.Value) bool {
	p := planOf(v.Type())
	switch p.form {
	case itself:
		return v.Addr().Interface().(Value).ReadCanonical(r)
	case text:
		return r.marshaled(v)
	case object:
		return r.object(v, p.members)
	case unknown:
		return false
	}
	switch v.Kind() {
	case reflect.String:
		s, ok := r.text()
		v.SetString(string(s))
		return ok
	case reflect.Bool:
		v.SetBool(r.Is("true"))
		return v.Bool() || r.Is("false")
	case reflect.Int, reflect.Int64:
		n, ok := r.Number()
		v.SetInt(n)
		return ok
	case reflect.Slice:
		return r.slice(v)
	case reflect.Map:
		return r.mapping(v)
	}
	return false
}

// marshaled reads a string of a type that turns into text.
func (r *Reader) marshaled(v reflect.Value) bool {
	s, ok := r.text()
	if !ok || v.Addr().Interface().(encoding.TextUnmarshaler).UnmarshalText(s) != nil {
		return false
	}
	again, err := v.Interface().(encoding.TextMarshaler).MarshalText()
	return err == nil && bytes.Equal(again, s)
}

func (r *Reader) slice(v reflect.Value) bool {
	v.Set(reflect.MakeSlice(v.Type(), 0, 0))
	zero := reflect.Zero(v.Type().Elem())
	return r.List(func() bool {
		v.Set(reflect.Append(v, zero))
		return r.read(v.Index(v.Len() - 1))
	})
}

func (r *Reader) mapping(v reflect.Value) bool {
	t := v.Type()
	if t.Key().Kind() != reflect.String || !r.Is("{") {
		return false
	}
	v.Set(reflect.MakeMap(t))
	if r.Is("}") {
		return true
	}
	for last := ""; ; {
		name, ok := r.Text()
		if !ok || (name <= last && v.Len() > 0) || !r.Is(":") {
			return false
		}
		value := reflect.New(t.Elem()).Elem()
		if !r.read(value) {
			return false
		}
		v.SetMapIndex(reflect.ValueOf(name).Convert(t.Key()), value)
		if last = name; !r.Is(",") {
			return r.Is("}")
		}
	}
}

func (r *Reader) object(v reflect.Value, members []member) bool {
	if !r.Is("{") {
		return false
	}
	some := false
	for _, m := range members {
		before := r.data
		if some && !r.Is(",") || !r.Is(m.name) {
			if !m.omitEmpty {
				return false
			}
			r.data = before
			continue
		}
		f := v.Field(m.field)
		if !r.read(f) || (m.omitEmpty && f.Len() == 0) {
			return false
		}
		some = true
	}
	return r.Is("}")
}
