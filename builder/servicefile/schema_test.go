package servicefile

import (
	"encoding/json"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// A schema is as much of JSON Schema as the published one uses to name keys.
type schema struct {
	Properties map[string]json.RawMessage `json:"properties"`
	Required   []string                   `json:"required"`
	Items      json.RawMessage            `json:"items"`
	AnyOf      []json.RawMessage          `json:"anyOf"`
	Additional *bool                      `json:"additionalProperties"`
}

// keysOf collects the keys of every mapping, by path.
func keysOf(t *testing.T, data json.RawMessage, path string, into map[string][]string) {
	t.Helper()
	if string(data) == "false" || string(data) == "true" {
		return // a key that is known and not served
	}
	var s schema
	if err := json.Unmarshal(data, &s); err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	if s.Properties != nil {
		if s.Additional == nil || *s.Additional {
			t.Errorf("schema of %q lets unknown keys pass", path)
		}
		into[path] = slices.Sorted(maps.Keys(s.Properties))
	}
	for name, p := range s.Properties {
		keysOf(t, p, join(path, name), into)
	}
	if s.Items != nil {
		keysOf(t, s.Items, path+"[]", into)
	}
	for _, a := range s.AnyOf {
		keysOf(t, a, path, into)
	}
}

// TestSchema compares the published schema's keys with those of the parser.
func TestSchema(t *testing.T) {
	data, err := os.ReadFile("../../docs/service-file.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	published := make(map[string][]string)
	keysOf(t, data, "", published)

	root, err := document("immure.yaml", []byte(whole))
	if err != nil {
		t.Fatal(err)
	}
	d := &decoder{at: make(map[string]Position), known: make(map[string][]string)}
	d.mapping(root, "", d.top(new(File)))
	if len(d.found) > 0 {
		t.Fatal(d.err())
	}
	index := regexp.MustCompile(`\[[0-9]+\]`)
	parsed := make(map[string][]string)
	for path, names := range d.known {
		slices.Sort(names)
		parsed[index.ReplaceAllString(path, "[]")] = slices.Compact(names)
	}
	for _, path := range slices.Sorted(maps.Keys(parsed)) {
		if !slices.Equal(parsed[path], published[path]) {
			t.Errorf("%q: the parser knows %q, the schema %q", path, parsed[path], published[path])
		}
		delete(published, path)
	}
	if len(published) > 0 {
		t.Errorf("the schema has mappings that the parser has not: %v", published)
	}
}

// TestDocumentation looks for every key in the page about the service file.
func TestDocumentation(t *testing.T) {
	data, err := os.ReadFile("../../docs/service-file.md")
	if err != nil {
		t.Fatal(err)
	}
	published := make(map[string][]string)
	text, err := os.ReadFile("../../docs/service-file.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	keysOf(t, text, "", published)
	for path, names := range published {
		for _, n := range names {
			if !strings.Contains(string(data), "`"+n+"`") && !strings.Contains(string(data), "`"+join(path, n)+"`") {
				t.Errorf("docs/service-file.md does not tell of %s", join(path, n))
			}
		}
	}
}
