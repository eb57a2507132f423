package image_test

import (
	"archive/tar"
	"slices"
	"testing"
)

// Anything about the files that differs from what was sealed.
func TestFilesThatWereNotSealed(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*draft){
		"a byte":             func(d *draft) { d.find("usr/bin/hello").data = "#!hellp" },
		"a byte more":        func(d *draft) { d.find("usr/bin/hello").data += "\x00" },
		"emptied":            func(d *draft) { d.find("etc/passwd").data = "" },
		"added":              func(d *draft) { d.files = append(d.files, entry{name: "usr/bin/sh", data: "#!", mode: 0o555}) },
		"an empty one added": func(d *draft) { d.files = append(d.files, entry{name: "etc/more"}) },
		"a directory added":  func(d *draft) { d.files = append(d.files, dir("opt/")) },
		"removed":            func(d *draft) { d.drop("etc/passwd") },
		"a mode":             func(d *draft) { d.find("usr/bin/hello").mode = 0o755 },
		"setuid":             func(d *draft) { d.find("usr/bin/hello").mode = 0o4555 },
		"a directory's mode": func(d *draft) { d.find("usr/bin/").mode = 0o777 },
		"an owner":           func(d *draft) { d.find("etc/passwd").uid = 65532 },
		"a group":            func(d *draft) { d.find("etc/passwd").gid = 65532 },
		"a link's target":    func(d *draft) { d.find("etc/motd").link = "shadow" },
		"a file for a link":  func(d *draft) { *d.find("etc/motd") = entry{name: "etc/motd", data: "hello:x:65532:65532::/:\n"} },
		"a link for a file":  func(d *draft) { *d.find("etc/passwd") = entry{name: "etc/passwd", kind: tar.TypeSymlink, link: "motd"} },
		"a second name": func(d *draft) {
			d.files = append(d.files, entry{name: "etc/more", kind: tar.TypeLink, link: "etc/passwd"})
		},
		"a pipe":                func(d *draft) { d.files = append(d.files, entry{name: "etc/pipe", kind: tar.TypeFifo}) },
		"a device":              func(d *draft) { d.files = append(d.files, entry{name: "dev/sda", kind: tar.TypeBlock}) },
		"the boundary":          func(d *draft) { d.find(".immure/boundary.json").data += "\n" },
		"the filter":            func(d *draft) { d.find(".immure/seccomp.json").data = `{"defaultAction":"SCMP_ACT_ALLOW"}` },
		"the envelope's filter": func(d *draft) { d.drop(".immure/seccomp-envelope.json") },
		"the AppArmor profile":  func(d *draft) { d.find(".immure/apparmor").data += "\n" },
		"the reasons":           func(d *draft) { d.find(".immure/files.json").data = "{}" },
		"a file among them": func(d *draft) {
			d.declared = append(d.declared, entry{name: ".immure/launcher", data: "#!", mode: 0o555})
		},
		"the declarations' owner": func(d *draft) { d.find(".immure/").uid = 65532 },
	} {
		for size, draw := range sizes {
			t.Run(size+"/"+name, func(t *testing.T) {
				d := draw(t, 1)
				seal := layer(t, d.seal(author()))
				change(d)
				_, err := judge(t, d.image(seal), newShelf())
				refused(t, err, "files", "found immureTree1:")
			})
		}
	}
}

// What the tree digest leaves out: in what order and how often files are
// packed, and the root's mode, which engines change.
func TestFilesPackedElse(t *testing.T) {
	for name, change := range map[string]func(*draft){
		"as they were":    func(*draft) {},
		"the root's mode": func(d *draft) { d.find("./").mode = 0o555 },
		"twice":           func(d *draft) { d.files = append(d.files, *d.find("etc/passwd")) },
		"once wrong":      func(d *draft) { d.files = slices.Insert(d.files, 4, entry{name: "etc/passwd", data: "root::0:0"}) },
		"absolute names":  func(d *draft) { d.find("etc/passwd").name = "/etc/passwd" },
	} {
		for size, draw := range sizes {
			t.Run(size+"/"+name, func(t *testing.T) {
				d := draw(t, 1)
				seal := layer(t, d.seal(author()))
				change(d)
				v, err := judge(t, d.image(seal), newShelf())
				must(t, err)
				if !v.Files {
					t.Errorf("got %+v", v)
				}
			})
		}
	}
}
