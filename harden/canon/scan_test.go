package canon_test

import (
	"bytes"
	"encoding/json"
	"testing"

	"pgregory.net/rapid"

	"github.com/immure-dev/immure/harden/canon"
)

// reread puts a document together again from what a Scanner makes of it, with
// every inner value read in a piece and scanned by itself. Of members of one
// name the last counts, as for encoding/json.
func reread(t testing.TB, data []byte) any {
	t.Helper()
	s, err := canon.Scan(data)
	if err != nil {
		t.Fatalf("%q: %v", data, err)
	}
	var out any
	switch s.Next() {
	case '{':
		members := make(map[string]any)
		err = s.Object(func(raw []byte) error {
			name, err := canon.Unquote(raw)
			members[name] = reread(t, s.Value())
			return err
		})
		out = members
	case '[':
		list := []any{}
		err = s.Array(func() error {
			list = append(list, reread(t, s.Value()))
			return nil
		})
		out = list
	default:
		if err := json.Unmarshal(s.Value(), &out); err != nil {
			t.Fatalf("%q: %v", data, err)
		}
	}
	if err == nil {
		err = s.End()
	}
	if err != nil {
		t.Fatalf("%q: %v", data, err)
	}
	return out
}

// agrees compares what a Scanner reads with what encoding/json does.
func agrees(t testing.TB, data []byte) {
	t.Helper()
	var want any
	if err := json.Unmarshal(data, &want); err != nil {
		t.Fatal(err)
	}
	a, err := json.Marshal(want)
	if err != nil {
		t.Fatal(err)
	}
	b, err := json.Marshal(reread(t, data))
	if err != nil || !bytes.Equal(a, b) {
		t.Errorf("%q is read as %s, by encoding/json as %s (%v)", data, b, a, err)
	}
	s, err := canon.Scan(data)
	if err != nil {
		t.Fatal(err)
	}
	if whole := s.Value(); !bytes.Equal(whole, bytes.Trim(data, " \t\r\n")) || s.End() != nil {
		t.Errorf("%q is read in a piece as %q", data, whole)
	}
}

// spaced writes any document with spaces wherever JSON has them.
func spaced(t *rapid.T, depth int) string {
	space := rapid.SampledFrom([]string{"", "", " ", "\n", "\t ", "\r\n"})
	gap := func() string { return space.Draw(t, "space") }
	word := func() string {
		text, err := json.Marshal(rapid.OneOf(rapid.StringMatching(`[]\[{}:,"\\\\ a]{0,4}`), rapid.String()).Draw(t, "text"))
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	kind := rapid.IntRange(0, 5).Draw(t, "kind")
	if depth == 0 {
		kind = rapid.IntRange(2, 5).Draw(t, "leaf")
	}
	n := rapid.IntRange(0, 3).Draw(t, "n")
	out := gap()
	switch kind {
	case 0, 1:
		open, end := "{", "}"
		if kind == 1 {
			open, end = "[", "]"
		}
		out += open + gap()
		for i := range n {
			if i > 0 {
				out += ","
			}
			if kind == 0 {
				out += gap() + word() + gap() + ":"
			}
			out += spaced(t, depth-1)
		}
		out += end
	case 2, 3:
		out += word()
	default:
		out += rapid.SampledFrom([]string{"0", "-1.5e+3", "12", "true", "false", "null"}).Draw(t, "word")
	}
	return out + gap()
}

func TestScanAgreesWithEncodingJSON(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) { agrees(t, []byte(spaced(r, 4))) })
}

func FuzzScan(f *testing.F) {
	for _, seed := range []string{
		`{"a":[ "]}"],"b":1}`, `{"a": [ [1], 2]}`, `{"a":[ "x:"]}`, `[ { "a" : { } } , "\\" , "\"" ]`, ` 1 `, `{"a":{"b":{"c":[{"d":"},] :"},[1,-2.5e3]]},"e":"\"}"},"f":[[],{}],"g":null}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		if s, err := canon.Scan(data); err != nil {
			if s != nil {
				t.Error("an error came with a scanner")
			}
			return
		}
		agrees(t, data)
	})
}

// Whoever leaves values unread gets an error, no loop and no panic.
func TestScanWithoutReading(t *testing.T) {
	for _, data := range []string{`[1,2]`, `{"a":1}`, `[[[]]]`, `{"a":{"b":[]}}`} {
		s, err := canon.Scan([]byte(data))
		if err != nil {
			t.Fatal(err)
		}
		if s.Next() == '{' {
			err = s.Object(func([]byte) error { return nil })
		} else {
			err = s.Array(func() error { return nil })
		}
		if err == nil && s.End() == nil {
			t.Errorf("%s was left unread without an error", data)
		}
	}
}
