package strict_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/immure-dev/immure/internal/strict"
)

func TestDocument(t *testing.T) {
	for _, tc := range []struct {
		name, in string
		want     string // of the error, empty for none
	}{
		{"an object", `{"config":{"User":"1:1","Env":["A=1"]},"x":[{"y":[[{"z":1}]]}]}`, ""},
		{"an unknown member", `{"other":1}`, ""},
		{"names apart in different objects", `{"a":{"x":1},"b":{"x":1}}`, ""},
		{"a member twice", `{"config":1,"config":2}`, "appears twice"},
		{"in two cases", `{"a":1,"A":2}`, "appears twice"},
		{"twice further in", `{"config":{"User":"1","User":"0"}}`, "appears twice"},
		{"twice within lists", `{"a":[[{"b":1,"b":2}]]}`, "appears twice"},
		{"in escapes", `{"config":1,"\u0063onfig":2}`, "appears twice"},
		{"another spelling", `{"Config":1}`, "is not spelled"},
		{"another spelling further in", `{"config":{"user":"0"}}`, "is not spelled"},
		{"another spelling elsewhere", `{"other":{"user":"0"}}`, ""},
		{"bytes after it", `{} {}`, "after top-level value"},
		{"not an object", `[]`, "not a JSON object"},
		{"nothing", ``, "unexpected end"},
		{"not UTF-8", "{\"a\":\"\xff\"}", "UTF-8"},
		{"deep", strings.Repeat(`{"a":`, 40) + "1" + strings.Repeat("}", 40), "deeper than"},
		{"deep lists", `{"a":` + strings.Repeat("[", 40) + strings.Repeat("]", 40) + "}", "deeper than"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			err := strict.Document([]byte(tc.in), "config", "config/User")
			if (err == nil) != (tc.want == "") || (err != nil && !strings.Contains(err.Error(), tc.want)) {
				t.Errorf("got %v, want %q", err, tc.want)
			}
		})
	}
}

func FuzzDocument(f *testing.F) {
	f.Add([]byte(`{"config":{"User":"1:1"},"rootfs":{"diff_ids":["x"]}}`))
	f.Add([]byte(`{"a":[{"b":1,"B":2}]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		if strict.Document(data, "config") != nil {
			return
		}
		// What passes has one reading: written again, it still passes.
		var v any
		if err := json.Unmarshal(data, &v); err != nil {
			t.Fatalf("no JSON passes: %v", err)
		}
		again, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		if err := strict.Document(again, "config"); err != nil {
			t.Errorf("%q reads as %q: %v", data, again, err)
		}
	})
}
