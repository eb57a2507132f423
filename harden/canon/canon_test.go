package canon_test

import (
	"bytes"
	"encoding/json"
	"reflect"
	"testing"

	"pgregory.net/rapid"

	"github.com/immure-dev/immure/harden/canon"
)

type inner struct {
	Names []string `json:"names"`
	On    bool     `json:"on"`
	Title string   `json:"title,omitempty"`
}

type document struct {
	Count int64            `json:"count"`
	Inner inner            `json:"inner"`
	List  []inner          `json:"list"`
	Map   map[string]inner `json:"map"`
	Text  string           `json:"text"`
}

func documents(t *rapid.T) document {
	word, count := rapid.StringMatching(`[ !#-\[\]-~]{0,6}`), rapid.Int64Range(0, 1e15-1)
	if rapid.IntRange(0, 3).Draw(t, "any text") == 0 {
		word, count = rapid.String(), rapid.Int64()
	}
	small := rapid.Custom(func(t *rapid.T) inner {
		return inner{rapid.SliceOf(word).Draw(t, "names"), rapid.Bool().Draw(t, "on"), word.Draw(t, "title")}
	})
	return document{
		Count: count.Draw(t, "count"), Inner: small.Draw(t, "inner"), List: rapid.SliceOf(small).Draw(t, "list"),
		Map: rapid.MapOf(word, small).Draw(t, "map"), Text: word.Draw(t, "text"),
	}
}

// marshal is what encoding/json writes, without escapes for HTML.
func marshal(v any) ([]byte, error) {
	var out bytes.Buffer
	enc := json.NewEncoder(&out)
	enc.SetEscapeHTML(false)
	err := enc.Encode(v)
	return bytes.TrimSuffix(out.Bytes(), []byte("\n")), err
}

// What is written is what encoding/json writes, and is read back.
func TestWrittenIsRead(t *testing.T) {
	taken := 0
	rapid.Check(t, func(t *rapid.T) {
		in := documents(t)
		data, ok := canon.Append(nil, in)
		if !ok {
			return
		}
		taken++
		want, err := marshal(in)
		if err != nil || !bytes.Equal(data, want) {
			t.Fatalf("wrote %s, encoding/json %s (%v)", data, want, err)
		}
		var out document
		if !canon.Read(data, &out) || !reflect.DeepEqual(in, out) {
			t.Fatalf("wrote %s, read %+v", data, out)
		}
	})
	if taken == 0 {
		t.Error("no document was plain")
	}
}

func FuzzRead(f *testing.F) {
	for _, seed := range []string{
		`{"count":1,"inner":{"names":[],"on":true},"list":[{"names":["a","b"],"on":false,"title":"x"}],"map":{"a":{"names":[],"on":true},"b":{"names":[],"on":true}},"text":""}`,
		`{"count":1,"inner":{"names":[],"on":true},"list":[],"map":{},"text":"a"}`,
		`{"count":01,"inner":{"names":null,"on":true},"list":[],"map":{},"text":"\u0061"}`,
		`{"count":1}`, ` {}`, `{"Count":1}`, ``,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		var got document
		if !canon.Read(data, &got) {
			if !reflect.DeepEqual(got, document{}) {
				t.Errorf("%q: not taken, and left %+v", data, got)
			}
			return
		}
		var want document
		if err := json.Unmarshal(data, &want); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%q: read %+v, encoding/json %+v (%v)", data, got, want, err)
		}
		again, err := marshal(got)
		if err != nil || !bytes.Equal(again, data) {
			t.Errorf("%q: taken, but written %q (%v)", data, again, err)
		}
	})
}

func TestReadTakesTheOneFormOnly(t *testing.T) {
	const good = `{"count":1,"inner":{"names":["x"],"on":true},"list":[],"map":{"a":{"names":[],"on":true},"b":{"names":[],"on":false}},"text":"t"}`
	if !canon.Read([]byte(good), &document{}) {
		t.Fatal("the one form was not taken")
	}
	for name, change := range map[string][2]string{
		"a space":                 {`"count":1`, `"count": 1`},
		"a newline after it":      {`"t"}`, "\"t\"}\n"},
		"a member missing":        {`"list":[],`, ``},
		"a member more":           {`"list":[],`, `"list":[],"m":1,`},
		"a member twice":          {`"list":[],`, `"list":[],"list":[],`},
		"another order":           {`"count":1,"inner":{"names":["x"],"on":true}`, `"inner":{"names":["x"],"on":true},"count":1`},
		"another case":            {`"count"`, `"Count"`},
		"an escaped name":         {`"count"`, `"c\u006funt"`},
		"null for a list":         {`"list":[]`, `"list":null`},
		"null for a text":         {`"text":"t"`, `"text":null`},
		"an escaped text":         {`"text":"t"`, `"text":"\u0074"`},
		"a text beyond ASCII":     {`"text":"t"`, `"text":"é"`},
		"a control character":     {`"text":"t"`, "\"text\":\"\x01\""},
		"an empty title":          {`"on":true}`, `"on":true,"title":""}`},
		"a leading zero":          {`"count":1`, `"count":01`},
		"a fraction":              {`"count":1`, `"count":1.0`},
		"an exponent":             {`"count":1`, `"count":1e0`},
		"a sign":                  {`"count":1`, `"count":-1`},
		"a number of 16 digits":   {`"count":1`, `"count":1234567890123456`},
		"no number":               {`"count":1`, `"count":`},
		"a text for a number":     {`"count":1`, `"count":"1"`},
		"map members in disorder": {`"a":{"names":[],"on":true},"b"`, `"b":{"names":[],"on":true},"a"`},
		"a map member twice":      {`"b":{`, `"a":{`},
		"a comma at the end":      {`["x"]`, `["x",]`},
		"no comma":                {`["x"]`, `["x""y"]`},
		"cut off":                 {`"text":"t"}`, `"text":"t`},
	} {
		data := bytes.Replace([]byte(good), []byte(change[0]), []byte(change[1]), 1)
		if bytes.Equal(data, []byte(good)) {
			t.Errorf("%s: nothing was changed", name)
		}
		out := document{Text: "before"}
		if canon.Read(data, &out) || !reflect.DeepEqual(out, document{Text: "before"}) {
			t.Errorf("%s: %s was taken, or left something behind", name, data)
		}
	}
}

// A word is a map's key that turns into text in its own way.
type word string

func (w *word) UnmarshalText(text []byte) error {
	*w = word(bytes.ToUpper(text))
	return nil
}

// Types whose form the tags or fields leave open are not taken at all.
func TestOtherTypesAreNotTaken(t *testing.T) {
	for _, c := range []struct {
		data string
		v    any
	}{
		{`{"b":1,"a":2}`, &struct {
			B int `json:"b"`
			A int `json:"a"`
		}{}},
		{`{"A":1}`, &struct{ A int }{}},
		{`{"a":"1"}`, &struct {
			A int `json:"a,string"`
		}{}},
		{`"eA=="`, &[]byte{}},
		{`1`, new(float64)},
		{`1`, new(any)},
		{`"1"`, new(json.Number)},
		{`{"a":"b"}`, &map[word]string{}},
		{`1`, new(*int)},
		{`{"1":1}`, &map[int]int{}},
	} {
		if canon.Read([]byte(c.data), c.v) {
			t.Errorf("%T: %s was taken", c.v, c.data)
		}
	}
}
