package profiles

import (
	"fmt"
	"os"
	"strings"
	"testing"
)

// The documentation's tables say what the data says.
func TestDocumentation(t *testing.T) {
	text, err := os.ReadFile("../docs/profiles.md")
	if err != nil {
		t.Fatal(err)
	}
	want := []string{fmt.Sprintf("lets through %d on x86_64", len(DockerDefault().Allowed()))}
	for _, name := range Names() {
		p, err := Get(name)
		if err != nil {
			t.Fatal(err)
		}
		want = append(want, fmt.Sprintf("| `%s` | %s | %d |", name, p.Kind, len(p.Boundary.Syscalls.Allowed())))
	}
	for name, f := range data().floors {
		want = append(want, "| "+name+" | ")
		want = append(want, f.Calls...)
	}
	for _, w := range want {
		if !strings.Contains(string(text), w) {
			t.Errorf("docs/profiles.md does not say %q", w)
		}
	}
}
