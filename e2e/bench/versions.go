package main

import (
	"debug/buildinfo"
	"fmt"
	"path/filepath"
	"strings"
)

// peerVersion is the version of the module that a peer's program is built from,
// as the program itself records it.
func peerVersion(program string) (string, error) {
	info, err := buildinfo.ReadFile(program)
	if err != nil {
		return "", fmt.Errorf("read version of %s: %w", filepath.Base(program), err)
	}
	modules := map[string]string{"cosign": "github.com/sigstore/cosign/v2", "ko": "github.com/google/ko"}
	for _, m := range info.Deps {
		if m.Path == modules[filepath.Base(program)] {
			return strings.TrimSpace(m.Version + " built with " + info.GoVersion), nil
		}
	}
	return "", fmt.Errorf("read version of %s: it names no %s", filepath.Base(program), modules[filepath.Base(program)])
}
