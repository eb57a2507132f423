package main

import (
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// An attempt counts as refused for its status and its own reason together.
func TestTry(t *testing.T) {
	for _, tc := range []struct{ name, script, want string }{
		{"refused", "echo 'immure: refused: rootfs: found writable, signed readOnly; mend' >&2; exit 1", ""},
		{"refused for more", "printf 'immure: refused: mounts: found /a\\nimmure: refused: rootfs: found writable\\n' >&2; exit 1", ""},
		{"let through", "exit 0", "was not refused"},
		{"let through with words", "echo 'immure: refused: rootfs: found writable' >&2", "was not refused"},
		{"not decided", "echo 'immure: refused: rootfs: found writable' >&2; exit 2", "status 2, want 1"},
		{"without a reason", "exit 1", "status 1, want 1 and a reason"},
		{"for another facet", "echo 'immure: refused: mounts: found writable' >&2; exit 1", "another reason"},
		{"for another find", "echo 'immure: refused: rootfs: found none' >&2; exit 1", "another reason"},
		{"killed", "kill -9 $$", "run immure verify"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			dir := t.TempDir()
			if err := os.Mkdir(filepath.Join(dir, "bin"), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(dir, "bin", "immure"), []byte("#!/bin/sh\n"+tc.script+"\n"), 0o755); err != nil {
				t.Fatal(err)
			}
			d := &demo{out: io.Discard, repo: dir, dir: dir}
			err := d.try(t.Context(), attempt{title: "a", facet: "rootfs", found: "writable"}, []string{"verify"})
			switch {
			case tc.want == "" && err != nil:
				t.Error(err)
			case tc.want != "" && (err == nil || !strings.Contains(err.Error(), tc.want)):
				t.Errorf("got %v, want %s", err, tc.want)
			}
		})
	}
}
