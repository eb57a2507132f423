package strict_test

import (
	"bytes"
	"encoding/json"
	"maps"
	"testing"

	"github.com/immure-dev/immure/internal/strict"
)

func TestOnly(t *testing.T) {
	for _, tc := range []struct {
		name, in, want string // want is the error, empty for none
	}{
		{"plain", `{"a":1,"b":"x"}`, ""},
		{"spaces", " {\n\"a\" : 1 }\n", ""},
		{"repeated", `{"a":1,"a":1}`, `member "a" appears twice`},
		{"repeated by escape", `{"a":1,"\u0061":1}`, `member "a" appears twice`},
		{"other case beside", `{"a":1,"A":1}`, `member "A" appears twice`},
		{"other case alone", `{"A":1}`, `member "A" is not spelled "a"`},
		{"unknown", `{"c":1}`, `unknown member "c"`},
		{"array", `[]`, `not a JSON object`},
		{"null", `null`, `not a JSON object`},
		{"trailing object", `{"a":1}{}`, `invalid character '{' after top-level value`},
		{"trailing bytes", `{"a":1}x`, `invalid character 'x' after top-level value`},
		{"cut off", `{"a":1`, `unexpected end of JSON input`},
		{"cut off within", `{"a":`, `unexpected end of JSON input`},
		{"empty", ``, `unexpected end of JSON input`},
		{"not UTF-8", "{\"a\":\"\xff\"}", `not UTF-8`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			_, err := strict.Only([]byte(tc.in), "a", "b")
			got := ""
			if err != nil {
				got = err.Error()
			}
			if got != tc.want {
				t.Errorf("got %q, want %q", got, tc.want)
			}
		})
	}
}

// What is split here is split as encoding/json splits it.
func FuzzMembers(f *testing.F) {
	for _, seed := range []string{
		`{}`, `{"a": {"b": {"c": 1}, "d": [ {"e": "}, ]"}]}, "f": 2}`, "{\n  \"a\": [\n    {\n      \"b\": 1\n    }\n  ]\n}", `{"a":[{"b":null}]}`, `{"a":1,"a":2}`, `{`, `{"a":`, "\xef\xbb\xbf{}",
		" { \"a\" : [ 1 , -2.5e3 , true ] , \"b\\\"\" : { } , \"c\":\"}\\\\\" }\n", `{"":{"":[[],{}]},"x":"\u0022,"}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		members, err := strict.Members(data, "a")
		if err != nil {
			if members != nil {
				t.Error("an error came with members")
			}
			if strict.Document(data, "a") == nil {
				t.Errorf("a document without fault, but %v", err)
			}
			return
		}
		if _, ok := members["A"]; ok {
			t.Error(`"A" was taken beside the known "a"`)
		}
		var want map[string]json.RawMessage
		if err := json.Unmarshal(data, &want); err != nil {
			t.Fatal(err)
		}
		if !maps.EqualFunc(members, want, func(a, b json.RawMessage) bool { return bytes.Equal(a, b) }) {
			t.Errorf("%q: got %q, want %q", data, members, want)
		}
	})
}
