package depcheck

import (
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/immure-dev/immure/"

type pkg struct {
	ImportPath string
	Imports    []string
	Deps       []string
	Standard   bool
}

func list(t *testing.T, args ...string) []pkg {
	t.Helper()
	cmd := exec.Command("go", append([]string{"list", "-json=ImportPath,Imports,Deps,Standard"}, args...)...)
	cmd.Dir = "../.."
	out, err := cmd.Output()
	if err != nil {
		var exit *exec.ExitError
		if errors.As(err, &exit) {
			t.Fatalf("go list: %v\n%s", err, exit.Stderr)
		}
		t.Fatal(err)
	}
	var pkgs []pkg
	dec := json.NewDecoder(strings.NewReader(string(out)))
	for {
		var p pkg
		err := dec.Decode(&p)
		if errors.Is(err, io.EOF) {
			return pkgs
		}
		if err != nil {
			t.Fatal(err)
		}
		pkgs = append(pkgs, p)
	}
}

// rooms says what each part of the house may import of the others. A room may
// always import what is beneath its own path.
var rooms = map[string][]string{
	"harden/canon": {},
	"harden/order": {"harden/canon"},
	"harden/grant": {"harden/canon", "harden/order"},
	"harden":       {"harden/canon", "harden/order", "harden/grant"},
	"profiles":     {"harden"},
	"builder":      {"profiles", "harden", "internal"},
	"attest":       {"harden", "internal"},
	"verify":       {"attest", "profiles", "harden", "internal"},
	"internal":     {"harden"},
	"internal/oci": {"internal/strict"}, // content, wherever it lies: nothing of boundaries or signatures
	"cmd":          {"verify", "attest", "builder", "profiles", "harden", "internal"},
	"e2e":          {"cmd", "verify", "attest", "builder", "profiles", "harden", "internal"},
	"examples":     {},
}

// siblings are rooms whose packages may not import each other: a form knows no
// other form, a door no other door, a medium no other medium. The exceptions are
// part of another.
var siblings = map[string][]string{
	"harden":       {"harden/canon", "harden/order", "harden/grant", "harden/seccomp"},
	"verify":       {"verify/observe"},
	"internal/oci": {"internal/oci/content"},
}

func room(path string) string {
	best := ""
	for r := range rooms {
		if (path == r || strings.HasPrefix(path, r+"/")) && len(r) > len(best) {
			best = r
		}
	}
	return best
}

func under(path, dir string) bool { return path == dir || strings.HasPrefix(path, dir+"/") }

func TestImportsRunDownwards(t *testing.T) {
	pkgs := list(t, "./...")
	if len(pkgs) < 10 {
		t.Fatalf("only %d packages found", len(pkgs))
	}
	for _, p := range pkgs {
		from := strings.TrimPrefix(p.ImportPath, module)
		home := room(from)
		if home == "" {
			t.Errorf("%s is in no room of the house", from)
			continue
		}
		for _, imp := range p.Imports {
			to, ours := strings.CutPrefix(imp, module)
			if !ours || to == from {
				continue
			}
			if under(to, home) {
				checkSibling(t, home, from, to)
				continue
			}
			if !slices.ContainsFunc(rooms[home], func(r string) bool { return under(to, r) }) {
				t.Errorf("%s imports %s: %s may not import it", from, to, home)
			}
		}
	}
}

func checkSibling(t *testing.T, home, from, to string) {
	t.Helper()
	shared, ruled := siblings[home]
	if !ruled || from == home || to == home || under(to, from) || under(from, to) || slices.Contains(shared, to) {
		return
	}
	t.Errorf("%s imports %s: they are siblings", from, to)
}

// TestHardenIsStandardLibraryOnly keeps the central type free of everything.
func TestHardenIsStandardLibraryOnly(t *testing.T) {
	for _, p := range list(t, "-deps", "./harden") {
		if !p.Standard && !under(strings.TrimPrefix(p.ImportPath, module), "harden") {
			t.Errorf("harden links %s", p.ImportPath)
		}
	}
	for _, p := range list(t, "./harden", "./harden/canon", "./harden/order", "./harden/grant") {
		for _, io := range []string{"os", "net", "net/http", "syscall", "io/fs", "os/exec"} {
			if slices.Contains(p.Imports, io) {
				t.Errorf("%s imports %s", p.ImportPath, io)
			}
		}
	}
}

// TestOneReaderOfOCIContent keeps other readers of layouts and other clients of
// registries out, whose bounds would be others.
func TestOneReaderOfOCIContent(t *testing.T) {
	const theirs = "github.com/google/go-containerregistry/pkg/v1/"
	var clients []string
	for _, p := range list(t, "./...") {
		from := strings.TrimPrefix(p.ImportPath, module)
		if under(from, "e2e") {
			continue
		}
		for _, imp := range p.Imports {
			switch {
			case imp == theirs+"layout":
				t.Errorf("%s imports %s: layouts are read in internal/oci/layout", from, imp)
			case under(imp, theirs+"remote") && from != "internal/oci/registry":
				t.Errorf("%s imports %s: registries are spoken to in internal/oci/registry", from, imp)
			case under(imp, theirs+"remote"):
				clients = append(clients, from)
			}
		}
	}
	if len(clients) == 0 {
		t.Error("no package speaks to registries: is the rule still about the right one?")
	}
}

// TestProgramsStaySmall keeps heavy dependencies out of the programs whose
// start everybody pays for.
func TestProgramsStaySmall(t *testing.T) {
	heavy := []string{
		"github.com/sigstore/cosign", "github.com/sigstore/sigstore-go", "github.com/moby/buildkit", "k8s.io", "sigs.k8s.io",
		"google.golang.org/grpc", "google.golang.org/protobuf", "github.com/docker/docker",
	}
	for _, p := range list(t, "./cmd/immure") {
		for _, dep := range p.Deps {
			if i := slices.IndexFunc(heavy, func(h string) bool { return under(dep, h) }); i >= 0 {
				t.Errorf("%s links %s", p.ImportPath, dep)
			}
		}
	}
}
