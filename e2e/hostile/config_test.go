//go:build e2e

package hostile_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// A wider makes of a value in a configuration one that permits more, or removes
// it. It returns false where there is nothing of the kind to do.
type wider struct {
	name, facet string
	change      func(v any) (any, bool)
}

// gone stands for a member that is removed.
type gone struct{}

func to(v any) func(any) (any, bool)       { return func(any) (any, bool) { return v, true } }
func shown(v any) string                   { return fmt.Sprint(v) }
func more(name, facet string, v any) wider { return wider{name, facet, to(v)} }
func drop(facet string) wider              { return wider{"gone", facet, to(gone{})} }
func number(v any) (n int64)               { n, _ = strconv.ParseInt(shown(v), 10, 64); return n }
func scaled(facet string, by int64) wider {
	return wider{fmt.Sprintf("times %d", by), facet, func(v any) (any, bool) { return number(v) * by, true }}
}

func when(is string, facet string, v any) wider {
	return wider{shown(v), facet, func(old any) (any, bool) { return v, shown(old) == is }}
}

// appended is a list with an element more.
func appended(name, facet string, v any) wider {
	return wider{name, facet, func(old any) (any, bool) {
		list, _ := old.([]any)
		return append(slices.Clone(list), v), true
	}}
}

// inAllowed changes a rule that allows.
func inAllowed(name string, change func(o object)) wider {
	return wider{name, "syscalls", func(v any) (any, bool) {
		o := maps.Clone(v.(object))
		change(o)
		return o, o["action"] == "SCMP_ACT_ALLOW"
	}}
}

func hook(path string) any { return []any{object{"path": path}} }

func bind(at, from string, options ...any) object {
	return object{"destination": at, "type": "bind", "source": from, "options": append([]any{"bind"}, options...)}
}

var indices = regexp.MustCompile(`\[\d+\]`)

// A place is a member of a document and how to put another value there.
type place struct {
	path  string
	value any
	put   func(v any)
}

// places lists every member of v, containers included, with those that the
// rules add to objects.
func places(path string, v any, put func(any)) []place {
	var all []place
	if path != "" {
		all = append(all, place{path, v, put})
	}
	switch v := v.(type) {
	case object:
		for _, name := range slices.Sorted(maps.Keys(v)) {
			all = append(all, places(strings.TrimPrefix(path+"."+name, "."), v[name], func(w any) {
				if w == any(gone{}) {
					delete(v, name)
				} else {
					v[name] = w
				}
			})...)
		}
		for _, rule := range slices.Sorted(maps.Keys(rules)) {
			outer, name := "", strings.TrimSuffix(rule, "+")
			if i := strings.LastIndexByte(name, '.'); i >= 0 {
				outer, name = name[:i], name[i+1:]
			}
			if _, there := v[name]; strings.HasSuffix(rule, "+") && outer == indices.ReplaceAllString(path, "[]") && !there {
				all = append(all, place{strings.TrimPrefix(path+"."+name, ".") + "+", nil, func(w any) { v[name] = w }})
			}
		}
	case []any:
		for i := range v {
			all = append(all, places(fmt.Sprintf("%s[%d]", path, i), v[i], func(w any) {
				if w != any(gone{}) {
					v[i] = w
					return
				}
				put(slices.Delete(slices.Clone(v), i, i+1))
			})...)
		}
	}
	return all
}

func decode(tb testing.TB, data []byte) object {
	tb.Helper()
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.UseNumber()
	var doc object
	must(tb, dec.Decode(&doc))
	return doc
}

// Every member of a right configuration is changed to something wider, one at a
// time, and every member that is not there is added: each is refused, and its
// facet named.
func TestEachMemberOfAConfigurationWidened(t *testing.T) {
	f := service(t)
	r := immure(t, "render", "--to", "oci", "--key", f.public, f.ref())
	r.allowed(t)
	rendered := []byte(r.stdout)
	judge := func(t *testing.T, config any) result {
		data, err := json.Marshal(config)
		must(t, err)
		path := filepath.Join(t.TempDir(), "config.json")
		must(t, os.WriteFile(path, data, 0o600))
		return f.verify(t, f.ref(), "--config", path)
	}
	judge(t, decode(t, rendered)).allowed(t)

	used := make(map[string]bool)
	for i, p := range places("", decode(t, rendered), nil) {
		form := indices.ReplaceAllString(p.path, "[]")
		list, known := rules[form]
		if _, outer := p.value.(object); !known && !outer {
			t.Errorf("%s: no rule says how it becomes wider", p.path)
		}
		used[form] = true
		for _, w := range list {
			next, fits := w.change(p.value)
			if !fits || shown(next) == shown(p.value) {
				continue
			}
			t.Run(p.path+"/"+w.name, func(t *testing.T) {
				t.Parallel()
				config := decode(t, rendered)
				places("", config, nil)[i].put(next)
				judge(t, config).refused(t, 1, "immure: refused: "+w.facet)
			})
		}
	}
	for form := range rules {
		if !used[form] {
			t.Errorf("%s: no such member", form)
		}
	}
}
