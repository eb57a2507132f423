package image_test

import (
	"archive/tar"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/immure-dev/immure/attest"
	"github.com/immure-dev/immure/attest/keys"
	"github.com/immure-dev/immure/attest/tree"
	"github.com/immure-dev/immure/harden"
	"github.com/immure-dev/immure/harden/apparmor"
	"github.com/immure-dev/immure/harden/grant"
	"github.com/immure-dev/immure/harden/order"
	"github.com/immure-dev/immure/harden/seccomp"
	"github.com/immure-dev/immure/internal/rootfs"
	"github.com/immure-dev/immure/profiles"
)

// largeBytes is more than any layer has that is read before it is asked for.
const largeBytes = 300 << 10

// signers are the author's key and a stranger's.
var signers = sync.OnceValue(func() (s struct{ author, stranger keys.PrivateKey }) {
	for _, k := range []*keys.PrivateKey{&s.author, &s.stranger} {
		var err error
		if *k, err = keys.Generate(keys.Ed25519); err != nil {
			panic(err) // the kind is known
		}
	}
	return s
})

func author() keys.PrivateKey   { return signers().author }
func stranger() keys.PrivateKey { return signers().stranger }

// An entry is one of a layer's archive. The zero kind is a regular file, the
// zero mode 0444.
type entry struct {
	name, data, link string
	kind             byte
	mode             int64
	uid, gid         int
	major, minor     int64
}

// archive packs entries as they are.
func archive(tb testing.TB, entries ...entry) []byte {
	tb.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, e := range entries {
		h := &tar.Header{
			Format: tar.FormatPAX, Typeflag: e.kind, Name: e.name, Linkname: e.link, Mode: e.mode,
			Size: int64(len(e.data)), Uid: e.uid, Gid: e.gid, Devmajor: e.major, Devminor: e.minor,
		}
		if h.Typeflag == 0 {
			h.Typeflag = tar.TypeReg
		}
		if h.Mode == 0 {
			h.Mode = 0o444
		}
		must(tb, w.WriteHeader(h))
		_, err := io.WriteString(w, e.data)
		must(tb, err)
	}
	must(tb, w.Close())
	return b.Bytes()
}

// layer is an uncompressed layer: most tests are not about compression.
func layer(tb testing.TB, entries ...entry) v1.Layer {
	tb.Helper()
	return static.NewLayer(archive(tb, entries...), types.OCIUncompressedLayer)
}

// A packed layer is compressed, and unpacks to what its diff id says.
type packed struct {
	v1.Layer
	diff v1.Hash
}

func (p packed) DiffID() (v1.Hash, error) { return p.diff, nil }

func newPacked(data, unpacked []byte, mediaType types.MediaType) packed {
	sum := sha256.Sum256(unpacked)
	return packed{static.NewLayer(data, mediaType), v1.Hash{Algorithm: "sha256", Hex: hex.EncodeToString(sum[:])}}
}

// A draft is an image in the making: what a service's author builds, to be
// changed before and after it is signed.
type draft struct {
	tb        testing.TB
	predicate attest.Predicate
	files     []entry // the service's layer
	declared  []entry // the layer of what the image says of itself
	config    v1.Config
}

func dir(name string) entry { return entry{name: name, kind: tar.TypeDir, mode: 0o755} }

// newDraft is of an honest image of the epoch.
func newDraft(tb testing.TB, epoch int64) *draft {
	tb.Helper()
	d := &draft{tb: tb, predicate: predicate(tb, epoch)}
	d.files = []entry{
		dir("./"), dir("usr/"), dir("usr/bin/"),
		{name: "usr/bin/hello", data: "#!hello", mode: 0o555},
		dir("etc/"),
		{name: "etc/passwd", data: "hello:x:65532:65532::/:\n"},
		{name: "etc/motd", kind: tar.TypeSymlink, link: "passwd"},
	}
	d.declare()
	return d
}

// newLargeDraft is one whose service fills a layer that is not small.
func newLargeDraft(tb testing.TB, epoch int64) *draft {
	tb.Helper()
	d := newDraft(tb, epoch)
	d.files = append(d.files, entry{name: "usr/bin/data", data: strings.Repeat("\x00", largeBytes)})
	return d
}

// sizes are of images that a brief reading reads whole, and in part.
var sizes = map[string]func(testing.TB, int64) *draft{"small": newDraft, "large": newLargeDraft}

// predicate is of a small service.
func predicate(tb testing.TB, epoch int64) attest.Predicate {
	tb.Helper()
	s := profiles.Base("server")
	s.User.UID, s.User.GID = order.Only(65532), order.Only(65533)
	s.Process.Args, s.Process.Executable = grant.LiteralArgs("/usr/bin/hello", "-listen"), "/usr/bin/hello"
	s.Process.Env = order.Of[grant.Env]("HELLO_*", grant.Env(grant.Literal("PATH=/usr/bin")))
	s.Network.Listen = order.Of[grant.Port]("8080/tcp")
	s.Mounts = s.Mounts.With(grant.NewSlot("/data", "volume", "nodev", "nosuid"))
	e, err := profiles.Strict(s, []harden.SyscallRule{{Names: []string{"execve"}, Action: harden.Allow}})
	must(tb, err)
	return completed(tb, attest.Predicate{
		Name: "hello", Epoch: epoch, Kind: "server", Immutability: "fixed", Service: s, Envelope: e,
		Waivers: []attest.Waiver{{Facet: "process.env", Grant: "HELLO_*", Reason: "set by its operator", Expires: "2030-01-01T00:00:00Z"}},
	})
}

func completed(tb testing.TB, p attest.Predicate) attest.Predicate {
	tb.Helper()
	p.States = nil
	if p.Waivers == nil {
		p.Waivers = []attest.Waiver{}
	}
	p, err := p.Complete()
	must(tb, err)
	must(tb, p.Check())
	return p
}

// sign changes what is signed and leaves the image as it declares itself.
func (d *draft) sign(change func(*attest.Predicate)) {
	d.tb.Helper()
	change(&d.predicate)
	d.predicate = completed(d.tb, d.predicate)
}

// declare makes the image say what its predicate says.
func (d *draft) declare() {
	d.tb.Helper()
	p := d.predicate
	boundary, err := harden.Pair{Envelope: p.Envelope, Service: p.Service}.Encode()
	must(d.tb, err)
	sum := sha256.Sum256(boundary)
	text, err := apparmor.Render(p.Name, p.Service)
	must(d.tb, err)
	d.declared = []entry{
		{name: ".immure/", kind: tar.TypeDir, mode: 0o555},
		{name: ".immure/boundary.json", data: string(boundary)},
		{name: ".immure/apparmor", data: text},
		{name: ".immure/files.json", data: `{"/usr/bin/hello":"the service"}`},
	}
	d.config = v1.Config{
		User: "65532:65533", Entrypoint: []string{"/usr/bin/hello"}, Cmd: []string{"-listen"}, WorkingDir: "/",
		Env: []string{"HELLO_NAME=world", "PATH=/usr/bin"}, ExposedPorts: map[string]struct{}{"8080/tcp": {}},
		Labels: map[string]string{
			"dev.immure.service": p.Name, "dev.immure.epoch": fmt.Sprint(p.Epoch), "dev.immure.rootfs": "readOnly",
			"dev.immure.boundary": "sha256:" + hex.EncodeToString(sum[:]),
		},
	}
	for name, calls := range map[string]harden.Syscalls{"seccomp.json": p.Service.Syscalls, "seccomp-envelope.json": p.Envelope.Syscalls} {
		if calls.IsUnconfined() {
			continue
		}
		data, err := seccomp.RenderJSON(calls)
		must(d.tb, err)
		d.declared = append(d.declared, entry{name: ".immure/" + name, data: string(data)})
		if name == "seccomp.json" {
			d.config.Labels["io.containers.seccomp.profile"] = string(data)
		}
	}
}

// find is the entry of the name, to be changed in place.
func (d *draft) find(name string) *entry {
	d.tb.Helper()
	for _, list := range [][]entry{d.files, d.declared} {
		if i := slices.IndexFunc(list, func(e entry) bool { return e.name == name }); i >= 0 {
			return &list[i]
		}
	}
	d.tb.Fatalf("no entry %s", name)
	return nil
}

// drop removes entries.
func (d *draft) drop(name string) {
	d.tb.Helper()
	d.find(name)
	gone := func(e entry) bool { return e.name == name }
	d.files, d.declared = slices.DeleteFunc(d.files, gone), slices.DeleteFunc(d.declared, gone)
}

// seal is the seal of the files and declarations as they are.
func (d *draft) seal(key keys.PrivateKey) entry {
	d.tb.Helper()
	var t rootfs.Tree
	for _, entries := range [][]entry{d.files, d.declared} {
		must(d.tb, t.Apply(bytes.NewReader(archive(d.tb, entries...)), tree.Hasher{}, rootfs.DefaultLimits))
	}
	digest, err := tree.Digest(&t, tree.SealPath)
	must(d.tb, err)
	data, err := attest.Seal(d.predicate, digest, key)
	must(d.tb, err)
	return entry{name: ".immure/seal.json", data: string(data)}
}

// image is of the draft's two layers and others on top.
func (d *draft) image(top ...v1.Layer) v1.Image {
	d.tb.Helper()
	return d.imageOf(append([]v1.Layer{layer(d.tb, d.files...), layer(d.tb, d.declared...)}, top...)...)
}

// sealed is the image with its author's seal.
func (d *draft) sealed() v1.Image {
	d.tb.Helper()
	return d.image(layer(d.tb, d.seal(author())))
}

// imageOf is an image of the draft's configuration and any layers.
func (d *draft) imageOf(layers ...v1.Layer) v1.Image {
	d.tb.Helper()
	config := &v1.ConfigFile{Architecture: "amd64", OS: "linux", RootFS: v1.RootFS{Type: "layers"}, Config: d.config}
	img, err := mutate.ConfigFile(mutate.ConfigMediaType(mutate.MediaType(empty.Image, types.OCIManifestSchema1), types.OCIConfigJSON), config)
	must(d.tb, err)
	for _, l := range layers {
		mediaType, err := l.MediaType()
		must(d.tb, err)
		img, err = mutate.Append(img, mutate.Addendum{Layer: l, MediaType: mediaType})
		must(d.tb, err)
	}
	return img
}

func must(tb testing.TB, err error) {
	tb.Helper()
	if err != nil {
		tb.Fatal(err)
	}
}
