//go:build e2e

package hostile_test

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/immure-dev/immure/internal/oci/content"
)

// users are what engines have read as root, or read in more than one way.
var users = []string{
	"", "0", "0:0", "root", "root:root", "65532", "65532:", ":65532", "65532:0", "0:65532", "65532:root", "65532:65533", "hostile", "hostile:hostile",
	"nobody", "missing", "toor", "-1", "-1:-1", "65532:-1", "-65532:65532", "+65532:65532", "065532:65532", "0xfffc:65532", "6.5532e4:65532",
	" 65532:65532", "65532:65532 ", "65532:65532:0", "65532 :65532", "2147483648:2147483648", "4294967295:4294967295", "4294967296:4294967296",
	"4295032828:65532", "18446744073709551616:0", "18446744073709617148:65532", "65532\n0:0", "65532\x00:65532", "６５５３２:65532", "%65532:65532",
}

// The configuration's USER is anything but the one that was signed. The files
// are the sealed ones: what the configuration says no seal covers.
func TestUsers(t *testing.T) {
	f := service(t)
	layers, err := f.img.Layers()
	must(t, err)
	for _, user := range users {
		t.Run(strconv.Quote(user), func(t *testing.T) {
			t.Parallel()
			img := assemble(t, f.img, func(c *v1.Config) { c.User = user }, layers...)
			offer(t, img, nil, func(t *testing.T, ref string) { f.verify(t, ref).refused(t, 1, "immure: refused: user.") })
			signed := []content.Artifact{f.about(t, img, f.predicate)}
			f.verify(t, inRegistry(t, img, signed...)).refused(t, 1, "immure: refused: user.")
			run(t, f, inLayout(t, img, signed...)).refused(t, 1, "immure: refused: user.")
		})
	}
}

// A name means what the image's own passwd file says: also where its row says
// root, and was sealed.
func TestUserNamesThatSayRoot(t *testing.T) {
	f := service(t)
	files := flatten(t, f.img)
	passwd := string(bytesOf(t, files, "/etc/passwd"))
	write(t, files, "/etc/passwd", []byte(passwd+"toor:x:0:0::/:/\n65532:x:0:0::/:/\n"))
	f.reseal(t, files, f.predicate)
	for _, user := range []string{"toor", "toor:toor", "hostile", "65532"} {
		img := assemble(t, f.img, func(c *v1.Config) { c.User = user }, layer(t, files))
		f.verify(t, inLayout(t, img, f.about(t, img, f.predicate))).refused(t, 1, "immure: refused: user.uid: ")
	}
}

// A service file cannot ask for such a user either.
func TestUsersOfServiceFiles(t *testing.T) {
	text, err := os.ReadFile("testdata/service/immure.yaml")
	must(t, err)
	dir, err := filepath.Abs("testdata/service")
	must(t, err)
	for _, user := range users[1:] {
		if user == "65532" || user == "65532:65533" || user == "65532:0" || strings.ContainsAny(user, "\x00\n") {
			continue // as stated, or not one line of YAML
		}
		t.Run(user, func(t *testing.T) {
			t.Parallel()
			file, out := filepath.Join(t.TempDir(), "immure.yaml"), filepath.Join(t.TempDir(), "image")
			changed := strings.Replace(string(text), "run:\n", "run:\n  user: "+strconv.Quote(user)+"\n", 1)
			changed = strings.Replace(changed, "go: .", "go: "+dir, 1)
			must(t, os.WriteFile(file, []byte(changed), 0o600))
			immure(t, "build", "-f", file, "-o", out).refused(t, 2, file+":7:")
			absent(t, out)
		})
	}
}
