package harden_test

import (
	"bytes"
	"encoding/json"
	"reflect"
	"strings"
	"testing"

	"github.com/immure-dev/immure/harden"
	"github.com/immure-dev/immure/harden/canon"
	"github.com/immure-dev/immure/harden/grant"
	"github.com/immure-dev/immure/harden/order"
	"github.com/immure-dev/immure/internal/boundarygen"
	"pgregory.net/rapid"
)

func TestEncodeDecode(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		b := boundarygen.Boundary().Draw(t, "b")
		data, err := b.Encode()
		if err != nil {
			t.Fatal(err)
		}
		back, err := harden.Decode(data)
		if err != nil {
			t.Fatal(err)
		}
		again, err := back.Encode()
		if err != nil || !bytes.Equal(again, data) {
			t.Fatalf("decoding changed the boundary: %v", err)
		}
		if !back.Within(b) || !b.Within(back) {
			t.Fatal("decoded boundary is another one")
		}
	})
}

// TestDecodeRefuses tries every way in which JSON of one meaning can be
// spelled twice, or mean two things to two readers.
func TestDecodeRefuses(t *testing.T) {
	b := boundarygen.Boundary().Example(7)
	good, err := b.Encode()
	if err != nil {
		t.Fatal(err)
	}
	text := string(good)
	var members map[string]json.RawMessage
	if err := json.Unmarshal(good, &members); err != nil {
		t.Fatal(err)
	}
	cases := map[string]string{
		"duplicate key":      `{"annotations":[],` + text[1:],
		"unknown key":        `{"aaa":1,` + text[1:],
		"other case":         strings.Replace(text, `"rootfs":`, `"Rootfs":`, 1),
		"space":              strings.Replace(text, `"rootfs":`, `"rootfs": `, 1),
		"trailing bytes":     text + "{}",
		"two newlines":       text + "\n\n",
		"byte order mark":    "\ufeff" + text,
		"escaped character":  strings.Replace(text, `"rootfs"`, `"root\u0066s"`, 1),
		"null":               strings.Replace(text, `"rootfs":`+string(members["rootfs"]), `"rootfs":null`, 1),
		"missing key":        strings.Replace(text, `"rootfs":`+string(members["rootfs"])+`,`, ``, 1),
		"empty object":       `{}`,
		"no object":          `[]`,
		"nothing":            ``,
		"too large":          strings.Repeat(" ", harden.MaxEncodedBytes) + text,
		"number as exponent": `{"annotations":1e0}`,
	}
	for name, data := range cases {
		t.Run(name, func(t *testing.T) {
			if data == text {
				t.Fatal("the case changes nothing")
			}
			if _, err := harden.Decode([]byte(data)); err == nil {
				t.Error("accepted")
			}
		})
	}
	if _, err := harden.Decode(append(good, '\n')); err != nil {
		t.Errorf("one newline at the end: %v", err)
	}
}

func TestMissingFacetIsNamed(t *testing.T) {
	b := boundarygen.Boundary().Example(7)
	good, err := b.Encode()
	if err != nil {
		t.Fatal(err)
	}
	data := bytes.Replace(good, []byte(`"pidsMax"`), []byte(`"pidsmax"`), 1)
	if _, err := harden.Decode(data); err == nil {
		t.Error("accepted another case of a key")
	}
	var empty harden.Boundary
	if _, err := empty.Encode(); err == nil || !strings.Contains(err.Error(), "syscalls: not stated") {
		t.Errorf("error does not name the facet: %v", err)
	}
}

// TestFacetsMatchFields makes sure that no field of Boundary escapes the
// table: every leaf of the canonical form is a facet, and the reverse.
func TestFacetsMatchFields(t *testing.T) {
	b := boundarygen.Boundary().Example(1)
	data, err := b.Encode()
	if err != nil {
		t.Fatal(err)
	}
	var tree map[string]any
	if err := json.Unmarshal(data, &tree); err != nil {
		t.Fatal(err)
	}
	want := make(map[string]bool)
	for _, name := range harden.Facets() {
		want[name] = true
	}
	var walk func(prefix string, m map[string]any)
	walk = func(prefix string, m map[string]any) {
		for k, v := range m {
			name := prefix + k
			if want[name] {
				delete(want, name)
				continue
			}
			inner, ok := v.(map[string]any)
			if !ok {
				t.Errorf("field %s is no facet", name)
				continue
			}
			walk(name+".", inner)
		}
	}
	walk("", tree)
	for name := range want {
		t.Errorf("facet %s is no field", name)
	}
}

// The canonical form is what encoding/json writes of the fields as they stand,
// and reads.
func TestEncodeAgreesWithEncodingJSON(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		b := boundarygen.Boundary().Draw(t, "b")
		got, err := b.Encode()
		if err != nil {
			t.Fatal(err)
		}
		var want bytes.Buffer
		enc := json.NewEncoder(&want)
		enc.SetEscapeHTML(false)
		if err := enc.Encode(b); err != nil || string(got)+"\n" != want.String() {
			t.Fatalf("got  %s\nwant %s (%v)", got, want.String(), err)
		}
		back, err := harden.Decode(got)
		var other harden.Boundary
		if otherErr := json.Unmarshal(got, &other); err != nil || otherErr != nil || !reflect.DeepEqual(back, other) {
			t.Fatalf("read %+v, encoding/json %+v (%v, %v)", back, other, err, otherErr)
		}
	})
}

func FuzzDecode(f *testing.F) {
	for seed := range 3 {
		data, err := boundarygen.Boundary().Example(seed).Encode()
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		b, err := harden.Decode(data)
		if err != nil {
			return
		}
		again, err := b.Encode()
		if err != nil || !bytes.Equal(again, bytes.TrimSuffix(data, []byte("\n"))) {
			t.Fatalf("accepted bytes that are not canonical: %v", err)
		}
		var other harden.Boundary
		if err := json.Unmarshal(data, &other); err != nil || !reflect.DeepEqual(b, other) {
			t.Errorf("encoding/json reads another boundary (%v)", err)
		}
	})
}

func TestCanonicalFollowsRFC8785(t *testing.T) {
	got, err := canon.Encode(map[string]any{
		"\u20ac": "Euro Sign", "\r": "Carriage Return", "1": "One", "\U0001f600": "Smiley", "\u0080": "Control", "\ufb33": "Hebrew",
		"s": "\u20ac$\u000f\nA'B\"\\\"/<>&\u2028", "n": -5,
	})
	if err != nil {
		t.Fatal(err)
	}
	want := `{"\r":"Carriage Return","1":"One","n":-5,"s":"€$\u000f\nA'B\"\\\"/<>&` + "\u2028" + `","` + "\u0080" + `":"Control","€":"Euro Sign","😀":"Smiley","` + "\ufb33" + `":"Hebrew"}`
	if string(got) != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	for _, v := range []any{1.5, 1e300, uint64(1) << 60} {
		if _, err := canon.Encode(v); err == nil {
			t.Errorf("%v: accepted a number that is not exact", v)
		}
	}
}

// TestPlainEncodingIsCanonical holds the short cut to what it stands for.
func TestPlainEncodingIsCanonical(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		v := rapid.MapOfN(rapid.String(), rapid.OneOf(rapid.String().AsAny(), rapid.Int64Range(-1<<52, 1<<52).AsAny(), rapid.Bool().AsAny()), 0, 4).Draw(t, "v")
		got, err := canon.Encode(v)
		if err != nil {
			t.Fatal(err)
		}
		var tree any
		dec := json.NewDecoder(bytes.NewReader(got))
		dec.UseNumber()
		if err := dec.Decode(&tree); err != nil {
			t.Fatal(err)
		}
		again, err := canon.Encode(tree)
		if err != nil || !bytes.Equal(got, again) {
			t.Fatalf("got %s, again %s: %v", got, again, err)
		}
	})
	// A struct whose fields stand out of order must not pass as it is.
	type disorderly struct {
		B int `json:"b"`
		A int `json:"a"`
	}
	for _, data := range []string{`{"b":1,"a":2}`, `{"a":2,"b":1}`} {
		var d disorderly
		if err := canon.Decode([]byte(data), &d); (err == nil) != (data == `{"a":2,"b":1}`) {
			t.Errorf("%s: %v", data, err)
		}
	}
}

// No boundary, however it was made, grants a variable of the dynamic loader.
func TestLoaderVariablesAreNoGrant(t *testing.T) {
	for _, env := range []order.Set[grant.Env]{
		order.Of[grant.Env]("PATH=*", "LD_PRELOAD=*"), order.Of[grant.Env]("GLIBC_TUNABLES=x"), order.AnySet[grant.Env](),
	} {
		b := boundarygen.Boundary().Example(1)
		b.Process.Env = env
		if _, err := b.Encode(); err == nil {
			t.Errorf("a boundary with %s was encoded", env)
		}
	}
}
