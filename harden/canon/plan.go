package canon

import (
	"encoding"
	"encoding/json"
	"reflect"
	"strconv"
	"strings"
	"sync"
)

// A plan is how values of a type are read and written.
type plan struct {
	form    form
	members []member
}

type form int

const (
	none form = iota // as its kind is
	itself
	text
	object
	unknown // not taken
)

type member struct {
	name      string // as it stands before the value: "name" in quotes, and a colon
	field     int
	omitEmpty bool
}

var plans sync.Map // reflect.Type to *plan

func planOf(t reflect.Type) *plan {
	if p, ok := plans.Load(t); ok {
		return p.(*plan)
	}
	p, _ := plans.LoadOrStore(t, makePlan(t))
	return p.(*plan)
}

var (
	valueType       = reflect.TypeFor[Value]()
	appenderType    = reflect.TypeFor[Appender]()
	jsonType        = reflect.TypeFor[json.Unmarshaler]()
	textType        = reflect.TypeFor[encoding.TextUnmarshaler]()
	marshalTextType = reflect.TypeFor[encoding.TextMarshaler]()
	jsonMarshalType = reflect.TypeFor[json.Marshaler]()
	numberType      = reflect.TypeFor[json.Number]()
)

func makePlan(t reflect.Type) *plan {
	pointer := reflect.PointerTo(t)
	switch {
	case pointer.Implements(valueType) && t.Implements(appenderType):
		return &plan{form: itself}
	case pointer.Implements(jsonType) || pointer.Implements(jsonMarshalType):
		return &plan{form: unknown}
	case pointer.Implements(textType) && t.Implements(marshalTextType):
		return &plan{form: text}
	case pointer.Implements(textType) || pointer.Implements(marshalTextType):
		return &plan{form: unknown}
	case t.Kind() == reflect.Slice && t.Elem().Kind() == reflect.Uint8: // base64
		return &plan{form: unknown}
	case t == numberType: // a number, not its text
		return &plan{form: unknown}
	case t.Kind() == reflect.Map && (t.Key().Implements(marshalTextType) || reflect.PointerTo(t.Key()).Implements(textType)):
		return &plan{form: unknown}
	case t.Kind() != reflect.Struct:
		return &plan{}
	}
	p := &plan{form: object}
	last := ""
	for i := range t.NumField() {
		f := t.Field(i)
		name, options, _ := strings.Cut(f.Tag.Get("json"), ",")
		omit := options == "omitempty"
		// Whatever the tags mean beyond this, and members that would not be in
		// order, are for the other reader.
		if !f.IsExported() || f.Anonymous || name <= last || name == "-" || (options != "" && !omit) || (omit && f.Type.Kind() != reflect.String) {
			return &plan{form: unknown}
		}
		p.members = append(p.members, member{strconv.Quote(name) + ":", i, omit})
		last = name
	}
	return p
}
