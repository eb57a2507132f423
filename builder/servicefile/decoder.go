package servicefile

import (
	"math"
	"strconv"
	"strings"
)

// A field is one key of a mapping and what reads its value.
type field struct {
	name     string
	required bool
	read     func(n *node, path string)
}

// A decoder reads nodes into a File and collects the problems.
type decoder struct {
	problems
	at map[string]Position // of keys, by path

	known map[string][]string // keys of the mappings that were read, for a test
}

// mapping reads n, a mapping with the given keys and no others, once each.
func (d *decoder) mapping(n *node, path string, fields []field) {
	if !d.is(n, path, isMapping) {
		return
	}
	if d.known != nil {
		for _, f := range fields {
			d.known[path] = append(d.known[path], f.name)
		}
	}
	seen := make(map[string]Position)
	meant := make(map[string]bool) // by keys that are misspelt
	for _, e := range n.entries {
		if first, ok := seen[e.name]; ok {
			d.add(e.at, "key %q stands here twice, first on line %d", e.name, first.Line)
			continue
		}
		seen[e.name] = e.at
		f, ok := find(fields, e.name)
		if !ok {
			meant[d.unknown(e, path, fields)] = true
			continue
		}
		full := join(path, e.name)
		if _, ok := d.at[full]; !ok {
			d.at[full] = e.at
		}
		if e.value.kind == isNull {
			d.add(e.value.at, "%s has no value: leave the key out, or write [] for none", full)
			continue
		}
		f.read(e.value, full)
	}
	for _, f := range fields {
		if _, ok := seen[f.name]; f.required && !ok && !meant[f.name] {
			d.add(n.at, "key %q is missing", join(path, f.name))
		}
	}
}

// unknown reports a key that is none and returns the one that was meant.
func (d *decoder) unknown(e entry, path string, fields []field) string {
	where := ""
	if path != "" {
		where = " in " + path
	}
	var names []string
	for _, f := range fields {
		names = append(names, f.name)
	}
	d.add(e.at, "unknown key %q%s%s", e.name, where, didYouMean(e.name, names))
	return nearest(e.name, names)
}

func find(fields []field, name string) (field, bool) {
	for _, f := range fields {
		if f.name == name {
			return f, true
		}
	}
	return field{}, false
}

func join(path, name string) string {
	if path == "" {
		return name
	}
	return path + "." + name
}

// is reports whether n is of the kind, and says so where it is not.
func (d *decoder) is(n *node, path string, k nodeKind) bool {
	if n.kind == k {
		return true
	}
	if path == "" {
		path = "the service file"
	}
	hint := ""
	if k == isText && n.kind == isMapping {
		hint = ": quote it if the colon is part of the text"
	}
	d.add(n.at, "%s must be %s, not %s%s", path, k, n.kind, hint)
	return false
}

// text reads a text that is not empty and holds no line break.
func (d *decoder) text(n *node, path string) (string, bool) {
	if n.kind == isNumber || n.kind == isBool {
		d.add(n.at, "%s must be text: write %q in quotes", path, n.text)
		return "", false
	}
	if !d.is(n, path, isText) {
		return "", false
	}
	if n.text == "" || strings.ContainsAny(n.text, "\n\r\x00") {
		d.add(n.at, "%s must be one line of text", path)
		return "", false
	}
	return n.text, true
}

// scalar reads a text or a number, as written.
func (d *decoder) scalar(n *node, path string) (string, bool) {
	if n.kind == isNumber {
		return n.text, true
	}
	return d.text(n, path)
}

// integer reads a decimal number between lo and hi.
func (d *decoder) integer(n *node, path string, lo, hi int64) (int64, bool) {
	if !d.is(n, path, isNumber) {
		return 0, false
	}
	v, err := strconv.ParseInt(n.text, 10, 64)
	if err != nil || strconv.FormatInt(v, 10) != n.text || v < lo || v > hi {
		if hi == math.MaxInt64 {
			d.add(n.at, "%s must be a whole number of at least %d", path, lo)
		} else {
			d.add(n.at, "%s must be a whole number from %d to %d", path, lo, hi)
		}
		return 0, false
	}
	return v, true
}

// maxItems bounds every list.
const maxItems = 1024

// list reads each item of a list.
func (d *decoder) list(n *node, path string, read func(n *node, path string)) {
	if !d.is(n, path, isList) {
		return
	}
	if len(n.items) > maxItems {
		d.add(n.at, "%s has more than %d entries", path, maxItems)
		return
	}
	for i, item := range n.items {
		p := path + "[" + strconv.Itoa(i) + "]"
		d.at[p] = item.at
		read(item, p)
	}
}

// texts reads a list of texts.
func (d *decoder) texts(n *node, path string) []string {
	var out []string
	d.list(n, path, func(n *node, path string) {
		if s, ok := d.text(n, path); ok {
			out = append(out, s)
		}
	})
	return out
}

// choice reads one of the given words.
func (d *decoder) choice(n *node, path string, words ...string) (string, bool) {
	s, ok := d.text(n, path)
	if !ok {
		return "", false
	}
	for _, w := range words {
		if s == w {
			return s, true
		}
	}
	d.add(n.at, "%s must be %s, not %q", path, strings.Join(words, " or "), s)
	return "", false
}
