package forms_test

import (
	"testing"

	"github.com/immure-dev/immure/harden"
	"github.com/immure-dev/immure/harden/seccomp"
	"github.com/immure-dev/immure/profiles"
)

// TestCatalogue writes and reads every filter that package profiles gives.
func TestCatalogue(t *testing.T) {
	filters := map[string]harden.Syscalls{"Docker's default": profiles.DockerDefault()}
	for _, name := range profiles.Names() {
		p, err := profiles.Get(name)
		if err != nil {
			t.Fatal(err)
		}
		strict, err := profiles.Strict(p.Boundary)
		if err != nil {
			t.Fatal(err)
		}
		filters[name], filters[name+", strict"] = p.Boundary.Syscalls, strict.Syscalls
	}
	if len(filters) < 11 {
		t.Errorf("only %d filters", len(filters))
	}
	for name, s := range filters {
		profile, err := seccomp.Render(s)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		again, err := seccomp.Parse(profile)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if wider, narrower := again.Over(s), s.Over(again); wider != nil || narrower != nil {
			t.Errorf("%s: read back wider by %v, narrower by %v", name, wider, narrower)
		}
	}
}
