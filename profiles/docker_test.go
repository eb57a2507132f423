package profiles

import (
	"bytes"
	"testing"

	"github.com/immure-dev/immure/profiles/internal/moby"
)

// The data is what Docker's own source says.
func TestDockerDefaultIsCurrent(t *testing.T) {
	want, err := moby.Default()
	if err != nil {
		t.Fatal(err)
	}
	got, err := files.ReadFile("data/docker-default.json")
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Error("data/docker-default.json is not what moby says: run go generate ./profiles")
	}
	if err := DockerDefault().Check(); err != nil {
		t.Error(err)
	}
}
