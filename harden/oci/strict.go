package oci

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"reflect"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/opencontainers/runtime-spec/specs-go"
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
	if !utf8.Valid(data) {
		return nil, nil, errors.New("not UTF-8 text")
	}
	w := walker{dec: json.NewDecoder(bytes.NewReader(data)), members: make(map[reflect.Type]map[string]reflect.Type)}
	w.dec.UseNumber()
	if err := w.value(reflect.TypeFor[specs.Spec](), "", 0); err != nil {
		return nil, nil, err
	}
	if _, err := w.dec.Token(); !errors.Is(err, io.EOF) {
		return nil, nil, errors.New("more bytes after the document")
	}
	spec := new(specs.Spec)
	if err := json.Unmarshal(data, spec); err != nil {
		return nil, nil, err
	}
	return spec, w.unknown, nil
}

// A walker checks a document against the members of a Go type.
type walker struct {
	dec     *json.Decoder
	unknown []string
	members map[reflect.Type]map[string]reflect.Type // of structs met so far
}

// value reads one value; t is nil where the type says nothing of its members.
func (w *walker) value(t reflect.Type, at string, depth int) error {
	if depth > maxDepth {
		return fmt.Errorf("%s: nested deeper than %d", shorten(at), maxDepth)
	}
	token, err := w.dec.Token()
	if err != nil {
		return whole(err)
	}
	for t != nil && t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	switch token {
	case json.Delim('{'):
		err = w.object(t, at, depth)
	case json.Delim('['):
		err = w.array(t, at, depth)
	default:
		text, _ := token.(string)
		return checkText(at, text)
	}
	if err != nil {
		return err
	}
	_, err = w.dec.Token() // the closing bracket
	return whole(err)
}

// whole names the end of a document that has not ended.
func whole(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

func (w *walker) array(t reflect.Type, at string, depth int) error {
	var elem reflect.Type
	if t != nil && t.Kind() == reflect.Slice {
		elem = t.Elem()
	}
	for i := 0; w.dec.More(); i++ {
		if i == maxMembers {
			return fmt.Errorf("%s: more than %d elements", shorten(at), maxMembers)
		}
		if err := w.value(elem, at+"["+strconv.Itoa(i)+"]", depth+1); err != nil {
			return err
		}
	}
	return nil
}

func (w *walker) object(t reflect.Type, at string, depth int) error {
	seen := make(map[string]bool)
	for w.dec.More() {
		token, err := w.dec.Token()
		if err != nil {
			return err
		}
		name, _ := token.(string)
		path := strings.TrimPrefix(at+"."+name, ".")
		switch {
		case seen[name]:
			return fmt.Errorf("%s: stated twice", shorten(path))
		case len(seen) == maxMembers:
			return fmt.Errorf("%s: more than %d members", shorten(at), maxMembers)
		}
		seen[name] = true
		if err := checkText(path, name); err != nil {
			return err
		}
		member, known := w.memberType(t, name)
		if !known && len(w.unknown) < maxForeign {
			w.unknown = append(w.unknown, "unknown member "+shorten(path))
		}
		if err := w.value(member, path, depth+1); err != nil {
			return err
		}
	}
	return nil
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

// checkText refuses what a runtime written in C would read differently.
func checkText(at, text string) error {
	if strings.ContainsRune(text, 0) || strings.ContainsRune(text, utf8.RuneError) {
		return fmt.Errorf("%s: text with a NUL or a broken character", shorten(at))
	}
	return nil
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
