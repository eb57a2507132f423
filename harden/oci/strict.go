package oci

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/opencontainers/runtime-spec/specs-go"

	"github.com/immure-dev/immure/harden/canon"
)

// Bounds of a configuration. Engines write some ten kilobytes.
const (
	MaxBytes   = 4 << 20
	maxDepth   = 64
	maxMembers = 8192 // of one array or object
)

// decode reads a configuration and lists the members that the runtime-spec does
// not name in exactly this spelling. What two runtimes may read differently is
// an error: a repeated member, a NUL, text that is not UTF-8, bytes after the end.
func decode(data []byte) (*specs.Spec, []string, error) {
	if len(data) > MaxBytes {
		return nil, nil, fmt.Errorf("more than %d bytes", MaxBytes)
	}
	doc, err := canon.Scan(data)
	if err != nil {
		return nil, nil, err
	}
	w := walker{Scanner: doc, members: make(map[reflect.Type]map[string]reflect.Type)}
	if err := w.value(reflect.TypeFor[specs.Spec](), 0); err != nil {
		return nil, nil, err
	}
	if err := w.End(); err != nil {
		return nil, nil, err
	}
	spec := new(specs.Spec)
	if err := json.Unmarshal(data, spec); err != nil {
		return nil, nil, err
	}
	return spec, w.unknown, nil
}

// A walker checks a document against the members of a Go type.
type walker struct {
	*canon.Scanner
	path    []string // where it is: ".process", "[0]"
	unknown []string
	members map[reflect.Type]map[string]reflect.Type // of structs met so far
}

// at names the place for people.
func (w *walker) at() string {
	return shorten(strings.TrimPrefix(strings.Join(w.path, ""), "."))
}

// value reads one value; t is nil where the type says nothing of its members.
func (w *walker) value(t reflect.Type, depth int) error {
	if depth > maxDepth {
		return fmt.Errorf("%s: nested deeper than %d", w.at(), maxDepth)
	}
	for t != nil && t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	switch w.Next() {
	case '{':
		return w.object(t, depth)
	case '[':
		return w.array(t, depth)
	case '"':
		_, err := w.text(w.Value())
		return err
	}
	w.Value()
	return nil
}

func (w *walker) array(t reflect.Type, depth int) error {
	var elem reflect.Type
	if t != nil && t.Kind() == reflect.Slice {
		elem = t.Elem()
	}
	n, last := 0, len(w.path)
	w.path = append(w.path, "")
	err := w.Array(func() error {
		w.path[last] = "[" + strconv.Itoa(n) + "]"
		if n++; n > maxMembers {
			return fmt.Errorf("%s: more than %d elements", w.at(), maxMembers)
		}
		return w.value(elem, depth+1)
	})
	w.path = w.path[:last]
	return err
}

func (w *walker) object(t reflect.Type, depth int) error {
	seen, last := make(map[string]bool), len(w.path)
	w.path = append(w.path, "")
	err := w.Object(func(raw []byte) error {
		w.path[last] = ""
		name, err := w.text(raw)
		if err != nil {
			return err
		}
		w.path[last] = "." + name
		switch {
		case seen[name]:
			return fmt.Errorf("%s: stated twice", w.at())
		case len(seen) == maxMembers:
			return fmt.Errorf("%s: more than %d members", w.at(), maxMembers)
		}
		seen[name] = true
		member, known := w.memberType(t, name)
		if !known && len(w.unknown) < maxForeign {
			w.unknown = append(w.unknown, "unknown member "+w.at())
		}
		return w.value(member, depth+1)
	})
	w.path = w.path[:last]
	return err
}

// memberType returns the type of an object's member, and whether it has one.
func (w *walker) memberType(t reflect.Type, name string) (reflect.Type, bool) {
	switch {
	case t == nil || t.Kind() == reflect.Interface:
		return nil, true
	case t.Kind() == reflect.Map:
		return t.Elem(), true
	case t.Kind() != reflect.Struct:
		return nil, true // the decoder reports the mismatch
	}
	if w.members[t] == nil {
		w.members[t] = make(map[string]reflect.Type)
		for _, f := range reflect.VisibleFields(t) {
			if !f.Anonymous {
				w.members[t][jsonName(f)] = f.Type
			}
		}
	}
	member, known := w.members[t][name]
	return member, known
}

func jsonName(f reflect.StructField) string {
	name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
	return name
}

// text reads a string. It refuses what a runtime written in C would read
// differently.
func (w *walker) text(raw []byte) (string, error) {
	text, err := canon.Unquote(raw)
	if err != nil {
		return "", err
	}
	if strings.ContainsRune(text, 0) || strings.ContainsRune(text, utf8.RuneError) {
		return "", fmt.Errorf("%s: text with a NUL or a broken character", w.at())
	}
	return text, nil
}

// shorten bounds a path from the document for a message of one line.
func shorten(s string) string {
	const most = 120
	if s == "" {
		return "document"
	}
	if len(s) > most {
		s = strings.ToValidUTF8(s[:most], "") + "…"
	}
	return strings.Trim(strconv.Quote(s), `"`)
}
