package profiles

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/immure-dev/immure/harden"
	"github.com/immure-dev/immure/harden/grant"
	"github.com/immure-dev/immure/harden/oci"
	"github.com/immure-dev/immure/harden/order"
	"github.com/immure-dev/immure/harden/seccomp"
)

// request reads an engine's configuration, as Docker 20.10, Podman 4.3 and
// containerd 1.6 under Kubernetes shape it for a container that is asked to be
// read-only, unprivileged and not root. The filter is put in here.
func request(t *testing.T, engine string) harden.Reading {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", engine+".json"))
	if err != nil {
		t.Fatal(err)
	}
	var config map[string]any
	if err := json.Unmarshal(data, &config); err != nil {
		t.Fatal(err)
	}
	if config["linux"].(map[string]any)["seccomp"], err = seccomp.Render(DockerDefault()); err != nil {
		t.Fatal(err)
	}
	if data, err = json.Marshal(config); err != nil {
		t.Fatal(err)
	}
	r, err := oci.Parse(data, oci.Options{Classify: func(source string) (string, bool) {
		switch base := filepath.Base(source); {
		case strings.HasSuffix(base, "hosts") || base == "hostname" || base == "resolv.conf":
			return "hosts", true
		case base == "shm" || base == ".containerenv" || strings.Contains(source, "/containers/hello/"):
			return "engine", true
		}
		return "", false
	}})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func helloService(t *testing.T) harden.Boundary {
	t.Helper()
	p, err := Get("go-static")
	if err != nil {
		t.Fatal(err)
	}
	b := p.Boundary
	b.User.UID, b.User.GID = order.Only(65532), order.Only(65532)
	b.Process.Args, b.Process.Executable = grant.LiteralArgs("/usr/bin/hello"), "/usr/bin/hello"
	return b
}

// What the engines ask for by themselves is inside the restricted envelope, but
// for the namespaces of a pod: a configuration cannot prove whose they are.
func TestEnginesAreWithinRestricted(t *testing.T) {
	envelope, err := Restricted(helloService(t))
	if err != nil {
		t.Fatal(err)
	}
	for _, engine := range []string{"docker", "podman", "cri"} {
		r := request(t, engine)
		if len(r.Unread) > 0 || len(r.Foreign) > 0 {
			t.Errorf("%s: unread %v, foreign %q", engine, r.Unread, r.Foreign)
		}
		for _, at := range []*order.Level{&r.Boundary.Namespaces.Network, &r.Boundary.Namespaces.IPC, &r.Boundary.Namespaces.UTS} {
			if engine == "cri" && *at == "joined" {
				*at = "pod"
			}
		}
		for _, facet := range r.Facets {
			if x, over := r.Boundary.OverIn(facet, envelope); over {
				t.Errorf("%s: %s", engine, x)
			}
		}
	}
}

// None of them is inside the strict envelope.
func TestEnginesAreBeyondStrict(t *testing.T) {
	envelope, err := Strict(helloService(t))
	if err != nil {
		t.Fatal(err)
	}
	for _, engine := range []string{"docker", "podman", "cri"} {
		r := request(t, engine)
		for _, facet := range []string{"syscalls", "mounts", "process.env", "cgroupsPath"} {
			if _, over := r.Boundary.OverIn(facet, envelope); !over {
				t.Errorf("%s: %s is within the strict envelope", engine, facet)
			}
		}
	}
}
