package builder

import (
	"path/filepath"
	"strings"
	"testing"
)

// Of the host, nothing comes along that the file does not add.
func TestNothingElseOfTheHost(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "conf/a"), "1", 0o644)
	link(t, "/etc/passwd", filepath.Join(dir, "conf/host"))
	link(t, "a", filepath.Join(dir, "conf/b"))
	const head = "service: napper\nfrom: {binary: /usr/bin/sleep}\nrun: {args: [/usr/bin/napper, \"1\"]}\n"
	r := mustBuild(t, dir, head+"boundary: {files: {add: [{from: conf, to: /etc/napper}]}}\n")
	if n := r.Tree.Get("/etc/passwd"); n == nil || strings.Contains(r.Why["/etc/passwd"], "files.add") {
		t.Errorf("/etc/passwd is kept for %q", r.Why["/etc/passwd"])
	}
	if r.Tree.Get("/etc/napper/a") == nil || r.Tree.Get("/etc/napper/b") == nil {
		t.Error("what was added is not there")
	}
	for _, boundary := range []string{
		"files: {execute: [/usr/bin/env]",
		"exec: [{args: [/usr/bin/env], for: probe}], files: {scratch: []",
	} {
		if _, err := buildIn(t, dir, head+"boundary: {"+boundary+"}}\n"); err == nil || !strings.Contains(err.Error(), "add it with boundary.files.add") {
			t.Errorf("%s: %v", boundary, err)
		}
		mustBuild(t, dir, head+"boundary: {"+boundary+", add: [{from: /usr/bin/env, to: /usr/bin/env}]}}\n")
	}
}
