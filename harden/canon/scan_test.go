package canon_test

import (
	"bytes"
	"encoding/json"
	"testing"

	"github.com/immure-dev/immure/harden/canon"
)

// A value ends where encoding/json ends it, however the document is spaced.
func TestScanSpacedDocuments(t *testing.T) {
	const plain = `{"a":{"b":{"c":[{"d":"},] :"},[1,-2.5e3]]},"e":"\"}"},"f":[[],{}],"g":null}`
	spaced := []string{plain, string(bytes.ReplaceAll([]byte(plain), []byte(`:`), []byte(`: `)))}
	for _, indent := range []string{"", " ", "\t", "   "} {
		var b bytes.Buffer
		if err := json.Indent(&b, []byte(plain), "", indent); err != nil {
			t.Fatal(err)
		}
		spaced = append(spaced, b.String())
	}
	for _, document := range spaced {
		s, err := canon.Scan([]byte(document))
		if err != nil {
			t.Fatal(err)
		}
		var want map[string]json.RawMessage
		if err := json.Unmarshal([]byte(document), &want); err != nil {
			t.Fatal(err)
		}
		err = s.Object(func(raw []byte) error {
			name, err := canon.Unquote(raw)
			if got := s.Value(); !bytes.Equal(got, want[name]) {
				t.Errorf("%q: %s is %q, want %q", document, name, got, want[name])
			}
			delete(want, name)
			return err
		})
		if err != nil || len(want) != 0 {
			t.Errorf("%q: %v, not seen: %q", document, err, want)
		}
	}
}
