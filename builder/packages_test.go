package builder

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/immure-dev/immure/builder/debian"
)

// TestFromDebian builds from a package that is locked and in the cache, so that
// no archive is asked.
func TestFromDebian(t *testing.T) {
	dir, cache := t.TempDir(), t.TempDir()
	pkg := filepath.Join(dir, "pkg")
	aRootfs(t, pkg)
	for _, link := range []string{"lib", "lib64", "bin"} {
		os.RemoveAll(filepath.Join(pkg, link)) // base-files brings these
	}
	write(t, pkg+"/usr/bin/curl", "not needed", 0o755)
	write(t, pkg+"/etc/sleep.conf", "1", 0o644)
	write(t, pkg+"/DEBIAN/control", "Package: sleeper\nVersion: 1.2-3\nArchitecture: amd64\nSource: sleepers (1.2)\nMaintainer: none <none@example.org>\nDescription: sleeps\n", 0o644)
	write(t, pkg+"/DEBIAN/postinst", "#!/bin/sh\ntouch "+dir+"/ran\n", 0o755)
	deb := filepath.Join(dir, "sleeper.deb")
	if out, err := exec.Command("dpkg-deb", "--root-owner-group", "-Zgzip", "--build", pkg, deb).CombinedOutput(); err != nil {
		t.Fatalf("dpkg-deb: %v: %s", err, out)
	}
	data, err := os.ReadFile(deb)
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(data)
	digest := hex.EncodeToString(sum[:])
	write(t, filepath.Join(cache, "debs", digest+".deb"), string(data), 0o600)
	lock := &debian.Lock{LockVersion: 1, Architecture: "amd64", Requested: []string{"sleeper"}, Packages: []debian.Package{{
		Name: "sleeper", Version: "1.2-3", Architecture: "amd64", Filename: "pool/main/s/sleeper_1.2-3_amd64.deb", Size: int64(len(data)), SHA256: digest,
	}}}
	if err := lock.Write(filepath.Join(dir, "immure.lock")); err != nil {
		t.Fatal(err)
	}

	f := parse(t, `service: sleep
from: {debian: {packages: [sleeper]}}
run: {args: [/usr/bin/sleep, "1"]}
boundary: {files: {read: [/etc/sleep.conf]}}
`)
	r, err := Build(context.Background(), f, Options{Dir: dir, Now: now, Cache: cache})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if r.Tree.Get("/usr/bin/curl") != nil || r.Tree.Get("/etc/sleep.conf") == nil {
		t.Error("keeps the wrong files")
	}
	if want := (Package{"sleeper", "1.2-3", "amd64", digest, "sleepers", "1.2"}); len(r.Packages) != 1 || r.Packages[0] != want {
		t.Errorf("packages %v, want %v", r.Packages, want)
	}
	if why := r.Why["/usr/bin/sleep"]; why != "the program: run.args (package sleeper)" {
		t.Errorf("program is kept for %q", why)
	}
	if r.Unminimised.Bytes <= r.Minimised.Bytes-4096 || r.Unminimised.Files < 3 {
		t.Errorf("%v of %v", r.Minimised, r.Unminimised)
	}
	if _, err := os.Stat(dir + "/ran"); err == nil {
		t.Error("a maintainer script ran")
	}
	// Another package than the locked one.
	f = parse(t, strings.Replace(helloYAML, "{go: ./cmd/hello}", "{debian: {packages: [sleepier]}}", 1))
	_, err = Build(context.Background(), f, Options{Dir: dir, Now: now, Cache: cache})
	if err == nil || !strings.HasPrefix(err.Error(), "immure.yaml:2:8: from.debian: ") {
		t.Errorf("another package than the locked one: %v", err)
	}
}
