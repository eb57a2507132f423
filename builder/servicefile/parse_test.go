package servicefile

import (
	"errors"
	"flag"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/immure-dev/immure/harden/grant"
)

var update = flag.Bool("update", false, "rewrite golden files")

// least is the shortest service file.
const least = "service: hello\nfrom: {go: ./cmd/hello}\nrun: {args: [/usr/bin/hello]}\n"

// whole states every key that this version serves.
const whole = `service: hello
epoch: 7
from:
  debian: {packages: [hello, libc6], lock: my.lock}
run:
  args: [/usr/bin/hello, -listen, ":8080", ""]
  user: "1000:2000"
  env: ["LANG=C", "HELLO_*", "NAME=*"]
  cwd: /srv
kind: server
boundary:
  profile: c-dynamic
  listen: [8080/tcp, 9000-9010/udp]
  connect: [db.example:5432/tcp, 192.0.2.7:53/udp, "[2001:db8::/32]:443/tcp"]
  files:
    read: [/etc/hello]
    execute: [/usr/bin/gzip]
    scratch: [/tmp, {at: /var/cache/hello, size: 64Mi}]
    add: [{from: ./hello.conf, to: /etc/hello/hello.conf}]
  mounts: [{at: /etc/secret, kind: secret}, {at: /data, kind: volume, writable: true}]
  exec: [{args: [/usr/bin/hello, -check], for: probe}]
  memory: 64Mi
  pids: 64
  cpu: "0.5"
  capabilities: [CAP_NET_BIND_SERVICE]
  syscalls: [getcpu]
  dlopen: [libnss_dns.so.2]
envelope: strict
launcher: false
landlock: off
immutability: fixed
waivers:
  - {facet: fileRights, grant: read /, reason: reads what it is asked to, expires: 2030-12-31}
platforms: [linux/amd64]
`

func TestLeast(t *testing.T) {
	f, err := Parse("immure.yaml", []byte(least))
	if err != nil {
		t.Fatal(err)
	}
	if f.Epoch != 1 || f.Kind != "server" || f.Envelope != "restricted" || f.Immutability != "fixed" ||
		f.Run.UID != 65532 || f.Run.GID != 65532 || f.Run.Cwd != "/" || len(f.Platforms) != 1 {
		t.Errorf("defaults are wrong: %+v", f)
	}
	if f.Stated.States("network.listen") || f.Stated.States("user.uid") || f.Has("boundary") {
		t.Error("states what the file does not")
	}
	if got := f.At("from.go"); got != "immure.yaml:2:8" {
		t.Errorf("from.go stands at %s", got)
	}
}

func TestWhole(t *testing.T) {
	f, err := Parse("immure.yaml", []byte(whole))
	if err != nil {
		t.Fatal(err)
	}
	s := f.Stated
	for facet, want := range map[string]string{
		"network.listen":           "8080/tcp, 9000-9010/udp",
		"network.connect":          "192.0.2.7/32:53/udp, [2001:db8::/32]:443/tcp, db.example:5432/tcp",
		"mounts":                   "/data volume nodev,noexec,nosuid, /etc/secret secret nodev,noexec,nosuid,ro",
		"exec":                     `["/usr/bin/hello" "-check"] for probe`,
		"resources.memoryMaxBytes": "67108864",
		"resources.pidsMax":        "64",
		"resources.cpuMaxMillis":   "500",
		"capabilities.bounding":    "CAP_NET_BIND_SERVICE",
		"process.args":             `["/usr/bin/hello" "-listen" ":8080" ""]`,
		"process.env":              "HELLO_*, LANG=C, NAME=*",
		"user.uid":                 "1000",
		"user.gid":                 "2000",
	} {
		if got := s.Text(facet); got != want {
			t.Errorf("%s: %s, want %s", facet, got, want)
		}
	}
	if !reflect.DeepEqual(f.Run.Env, []string{"LANG=C"}) {
		t.Errorf("literal environment %q", f.Run.Env)
	}
	if !reflect.DeepEqual(f.Files.Scratch, []Scratch{{At: "/tmp"}, {At: "/var/cache/hello", SizeMaxBytes: 64 << 20}}) {
		t.Errorf("scratch %v", f.Files.Scratch)
	}
	if err := f.CheckWaivers(time.Date(2029, 1, 1, 0, 0, 0, 0, time.UTC)); err != nil {
		t.Error(err)
	}
}

// TestRefused compares what each file of testdata/refused is told with the
// golden text beside it.
func TestRefused(t *testing.T) {
	files, err := filepath.Glob("testdata/refused/*.yaml")
	if err != nil || len(files) < 20 {
		t.Fatalf("found %d files: %v", len(files), err)
	}
	for _, name := range files {
		t.Run(strings.TrimSuffix(filepath.Base(name), ".yaml"), func(t *testing.T) {
			data, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			f, err := Parse("immure.yaml", data)
			if err == nil {
				err = f.CheckWaivers(time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC))
			}
			var e *Error
			if !errors.As(err, &e) {
				t.Fatalf("accepted, or not an Error: %v", err)
			}
			var got strings.Builder
			for _, p := range e.Problems {
				got.WriteString(p.String() + "\n")
			}
			golden := strings.TrimSuffix(name, ".yaml") + ".txt"
			if *update {
				if err := os.WriteFile(golden, []byte(got.String()), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if got.String() != string(want) {
				t.Errorf("got\n%swant\n%s", got.String(), want)
			}
		})
	}
}

func TestWaivers(t *testing.T) {
	const wide = least + "boundary: {listen: ['*/tcp']}\nwaivers: [{facet: network.listen, grant: 1-65535/tcp, reason: a port scanner's target, expires: 2027-06-01T00:00:00Z}]\n"
	f, err := Parse("immure.yaml", []byte(wide))
	if err != nil {
		t.Fatal(err)
	}
	expiry := time.Date(2027, 6, 1, 0, 0, 0, 0, time.UTC)
	if err := f.CheckWaivers(expiry.Add(-time.Second)); err != nil {
		t.Errorf("a second before it expires: %v", err)
	}
	if err := f.CheckWaivers(expiry); err == nil {
		t.Error("an expired waiver counts")
	}
	if _, ok := f.Waiver("network.connect", "1-65535/tcp"); ok {
		t.Error("a waiver counts for another facet")
	}
}

func TestGrants(t *testing.T) {
	for in, want := range map[string]string{
		"10.0.0.0/8:443/tcp":       "10.0.0.0/8:443/tcp",
		"192.0.2.1:443/tcp":        "192.0.2.1/32:443/tcp",
		"[2001:db8::1]:443/tcp":    "[2001:db8::1/128]:443/tcp",
		"*:443/tcp":                "*:443/tcp",
		"db.example:*/tcp":         "db.example:1-65535/tcp",
		"db.example":               "",
		"db.example:443":           "",
		"10.0.0.1/8:443/tcp":       "",
		"[db.example]:443/tcp":     "db.example:443/tcp",
		"0.0.0.0/0:1-65535/tcp":    "0.0.0.0/0:1-65535/tcp",
		"http://db.example:80/tcp": "",
	} {
		got, err := connectGrant(in)
		if (err == nil) != (want != "") || (err == nil && got != grant.Endpoint(want)) {
			t.Errorf("%s: %q, %v; want %q", in, got, err, want)
		}
	}
	for in, want := range map[string]int64{"64Mi": 64 << 20, "1Gi": 1 << 30, "10": 10, "0x10": 0, "64M": 0, "-1": 0, "1.5Gi": 0, "9999999999Gi": 0, "": 0, "Mi": 0} {
		if got, err := bytesOf(in); got != want || (err == nil) != (want != 0) {
			t.Errorf("%q: %d, %v; want %d", in, got, err, want)
		}
	}
	for in, want := range map[string]int64{"0.5": 500, "2": 2000, "1.25": 1250, "0.01": 10, "0.009": 0, "0.001": 0, "0": 0, "0.0001": 0, ".5": 0, "1e3": 0} {
		if got, err := millisOf(in); got != want || (err == nil) != (want != 0) {
			t.Errorf("%q: %d, %v; want %d", in, got, err, want)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(least))
	f.Add([]byte(whole))
	files, err := filepath.Glob("testdata/refused/*.yaml")
	if err != nil {
		f.Fatal(err)
	}
	for _, name := range files {
		data, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		if len(data) > 4<<10 {
			return // the parser's quadratic time would only slow this down
		}
		file, err := Parse("x", data)
		if err == nil {
			if file.Service == "" || len(file.Run.Args) == 0 {
				t.Errorf("accepted without a service or a program: %+v", file)
			}
			return
		}
		var e *Error
		if !errors.As(err, &e) || len(e.Problems) == 0 || e.Problems[0].Line < 1 || e.Problems[0].Column < 1 {
			t.Errorf("an error without a place: %v", err)
		}
	})
}

// TestExamples reads the service files that people start from.
func TestExamples(t *testing.T) {
	files, err := filepath.Glob("../../examples/*/immure.yaml")
	if err != nil || len(files) == 0 {
		t.Fatalf("found %v: %v", files, err)
	}
	for _, name := range files {
		data, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		f, err := Parse(name, data)
		if err != nil {
			t.Error(err)
			continue
		}
		if err := f.CheckWaivers(time.Now()); err != nil {
			t.Error(err)
		}
	}
}
