//go:build e2e

package hostile_test

import (
	"archive/tar"
	"strings"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/immure-dev/immure/attest"
	"github.com/immure-dev/immure/attest/tree"
	"github.com/immure-dev/immure/internal/rootfs"
)

// setCapability is CAP_SYS_ADMIN, permitted and effective.
// Source: include/uapi/linux/capability.h, vfs_cap_data revision 2.
const setCapability = "\x01\x00\x00\x02\x00\x00\x20\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"

// A layer on top of a sealed image hides, replaces or leads away. Where the
// seal alone speaks for the image it is refused.
func TestLayersOnTopOfTheSeal(t *testing.T) {
	f := service(t)
	files := flatten(t, f.img)
	seal := string(bytesOf(t, files, tree.SealPath))
	boundary := string(bytesOf(t, files, "/.immure/boundary.json"))
	strangers, err := attest.Seal(f.predicate, strings.Repeat("ab", 32), stranger(t))
	must(t, err)
	link := func(name, to string) entry { return entry{name: name, link: to, kind: tar.TypeSymlink, mode: 0o777} }
	hard := func(name, to string) entry { return entry{name: name, link: to, kind: tar.TypeLink, mode: 0o444} }
	for name, entries := range map[string][]entry{
		// Where something is mounted over the image's files.
		"/dev is a link":              {link("dev", "tmp")},
		"/proc is a link":             {link("proc", "/")},
		"/sys is a link":              {link("sys", "proc")},
		"/dev/shm is a link":          {link("dev/shm", "/")},
		"a scratch that is a link":    {link("scratch", "/usr/bin")},
		"a scratch that is a file":    {{name: "scratch", data: "#"}},
		"a file where proc goes":      {{name: "proc", data: "#"}},
		"a program through a link":    {link("usr", "/.immure"), {name: "usr/bin/service", data: "#"}},
		"a link that is the root":     {link(".", "/usr")},
		"a link to the host's root":   {link("usr/host", "../../../../../..")},
		"a link to another's process": {link("usr/host", "/proc/1/root")},

		// Names that lead out.
		"a name with ..":              {{name: "../etc/shadow", data: "#"}},
		"a name with .. within":       {{name: "usr/../../etc/shadow", data: "#"}},
		"an absolute name":            {{name: "/etc/shadow", data: "#"}},
		"an absolute name with ..":    {{name: "/../etc/shadow", data: "#"}},
		"a hard link out":             {hard("etc/shadow", "../../etc/shadow")},
		"a hard link to the host":     {hard("etc/shadow", "/etc/shadow")},
		"a hard link to a program":    {hard("usr/bin/other", "usr/bin/service")},
		"a hard link to the boundary": {hard("usr/bin/other", ".immure/boundary.json")},
		"a hard link to the seal":     {hard("usr/bin/other", tree.SealPath)},
		"a hard link to a directory":  {hard("usr/other", "usr/bin")},
		"a hard link through a link":  {link("l", ".immure"), hard("usr/other", "l/boundary.json")},

		// Whiteouts.
		"the seal hidden":                {{name: ".immure/.wh.seal.json"}},
		"the boundary hidden":            {{name: ".immure/.wh.boundary.json"}},
		"the filter hidden":              {{name: ".immure/.wh.seccomp.json"}},
		"all declarations hidden":        {{name: ".wh..immure"}},
		"all declarations opaque":        {{name: ".immure/.wh..wh..opq"}},
		"everything opaque":              {{name: ".wh..wh..opq"}},
		"opaque, and a seal of its own":  {{name: ".immure/.wh..wh..opq"}, {name: ".immure/seal.json", data: seal}},
		"opaque, and the declarations":   {{name: ".immure/.wh..wh..opq"}, {name: ".immure/seal.json", data: seal}, {name: ".immure/boundary.json", data: boundary}},
		"the program hidden":             {{name: "usr/bin/.wh.service"}},
		"a whiteout that is a directory": {{name: ".immure/.wh.seal.json", kind: tar.TypeDir, mode: 0o755}},
		"a whiteout with content":        {{name: ".immure/.wh.seal.json", data: "#"}},
		"a whiteout of the parent":       {{name: ".immure/.wh..."}},
		"a whiteout device":              {{name: ".immure/seal.json", kind: tar.TypeChar}},

		// Another seal, and seals that are not files.
		"a stranger's seal":          {{name: ".immure/seal.json", data: string(strangers)}},
		"an empty seal":              {{name: ".immure/seal.json"}},
		"a seal that is a link":      {{name: ".immure/real.json", data: seal}, link(".immure/seal.json", "real.json")},
		"a seal that is a hard link": {{name: ".immure/real.json", data: seal}, hard(".immure/seal.json", ".immure/real.json")},
		"a seal that is a directory": {{name: ".immure/seal.json", kind: tar.TypeDir, mode: 0o755}},
		"a seal that is a device":    {{name: ".immure/seal.json", kind: tar.TypeChar, major: 1, minor: 3}},
		"a seal that is a disk":      {{name: ".immure/seal.json", kind: tar.TypeBlock, major: 8, minor: 0}},
		"a seal that is a pipe":      {{name: ".immure/seal.json", kind: tar.TypeFifo}},
		"a setuid seal":              {{name: ".immure/seal.json", data: seal, mode: 0o4444}},
		"a seal that runs":           {{name: ".immure/seal.json", data: seal, mode: 0o555}},
		"a seal that all may write":  {{name: ".immure/seal.json", data: seal, mode: 0o666}},
		"a seal of another owner":    {{name: ".immure/seal.json", data: seal, uid: 65532}},
		"a seal with capabilities":   {{name: ".immure/seal.json", data: seal, records: map[string]string{"SCHILY.xattr.security.capability": setCapability}}},
		"a seal with more behind it": {{name: ".immure/seal.json", data: seal + "\n"}},
		"a seal that is too large":   {{name: ".immure/seal.json", data: seal + strings.Repeat(" ", 64<<10)}},
		"a seal in another case":     {{name: ".immure/.wh.seal.json"}, {name: ".immure/Seal.json", data: seal}},
		"a seal elsewhere":           {{name: ".immure/.wh.seal.json"}, {name: "seal.json", data: seal}},
		"declarations behind a link": {{name: ".wh..immure"}, {name: "real/seal.json", data: seal}, link(".immure", "real")},
		"declarations that are none": {{name: ".immure", data: "#"}},
		"a file among them":          {{name: ".immure/more", data: "#"}},
		"a huge file among them":     {{name: ".immure/more", data: strings.Repeat("#", 2<<20)}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			offer(t, f.over(t, archive(t, entries...)), nil, func(t *testing.T, ref string) { f.verify(t, ref).notAllowed(t) })
		})
	}
}

// The same names within the only layer of an image that the author signed, the
// manifest and the files: what cannot be unpacked is not run, and what leads a
// mount elsewhere is not mounted.
func TestSignedImagesThatMislead(t *testing.T) {
	f := service(t)
	link := func(path, to string) func(*testing.T, *rootfs.Tree) {
		return func(t *testing.T, files *rootfs.Tree) {
			files.Remove(path)
			must(t, files.Put(rootfs.Node{Path: path, Type: rootfs.Symlink, Target: to}))
		}
	}
	for _, tc := range []struct {
		name   string
		change func(*testing.T, *rootfs.Tree)
		words  string
	}{
		{"scratch leads to the program", link("/scratch", "/usr/bin"), "mounts"},
		{"scratch leads to the declarations", link("/scratch", ".immure"), "mounts"},
		{"scratch leads to the root", link("/scratch", "/"), "mounts"},
		{"scratch leads out", link("/scratch", "../../../../etc"), "mounts"},
		{"scratch leads nowhere", link("/scratch", "/nowhere"), "mounts"},
		{"scratch leads in a ring", link("/scratch", "scratch"), "mounts"},
		{"dev leads to the declarations", link("/dev", "/.immure"), "mounts"},
		{"proc leads to the program", link("/proc", "usr/bin"), "mounts"},
		{"proc leads nowhere", link("/proc", "/nowhere"), "mounts"},
		{"a device's directory leads nowhere", link("/dev", "nowhere"), "mounts"},
		{"dev is a file", func(t *testing.T, files *rootfs.Tree) { files.Remove("/dev"); write(t, files, "/dev", []byte("#")) }, ""},
		{"the program is a link out", link("/usr/bin/service", "/proc/self/exe"), ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			files := flatten(t, f.img)
			tc.change(t, files)
			f.reseal(t, files, f.predicate)
			img := f.repack(t, files)
			r := run(t, f, inLayout(t, img, f.about(t, img, f.predicate)), "-e", "MODE=exit 0")
			if tc.words != "" {
				r.refused(t, 1, "immure: refused: "+tc.words+": ")
			} else if r.status != 1 && r.status != 2 { // the runtime has the last word
				t.Errorf("got status %d:\n%s", r.status, r.stderr)
			}
		})
	}
}

// An image whose manifest was signed and whose seal is none: it may be looked
// at, and does not run.
func TestSignedImagesWithoutASeal(t *testing.T) {
	f := service(t)
	seal := string(bytesOf(t, flatten(t, f.img), tree.SealPath))
	for name, img := range map[string]v1.Image{
		"none":      f.unsealed(t),
		"hidden":    f.over(t, archive(t, entry{name: ".immure/.wh.seal.json"})),
		"a link":    f.over(t, archive(t, entry{name: ".immure/real.json", data: seal}, entry{name: ".immure/seal.json", link: "real.json", kind: tar.TypeSymlink})),
		"setuid":    f.over(t, archive(t, entry{name: ".immure/seal.json", data: seal, mode: 0o4444})),
		"replaced":  f.over(t, archive(t, entry{name: ".immure/seal.json", data: "{}"})),
		"a file on": f.over(t, archive(t, entry{name: "usr/bin/more", data: "#"})),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			run(t, f, inRegistry(t, img, f.about(t, img, f.predicate)), "-e", "MODE=exit 0").notAllowed(t)
		})
	}
}
