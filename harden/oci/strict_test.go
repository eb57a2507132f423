package oci

import (
	"errors"
	"strings"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"

	"github.com/immure-dev/immure/harden/order"
)

const least = `{"ociVersion":"1.0.2","process":{"user":{"uid":1,"gid":1},"args":["/x"],"cwd":"/"},"root":{"path":"r"}`

func TestParseRefuses(t *testing.T) {
	for want, in := range map[string]string{
		"no process":                  `{"ociVersion":"1.0.2"}`,
		"process.cwd: stated":         `{"process":{"cwd":"/","cwd":"/x"}}`,
		"annotations.a: stated":       `{"annotations":{"a":"","a":""}}`,
		"NUL":                         `{"hostname":"a\u0000b"}`,
		"broken character":            `{"hostname":"\ud800"}`,
		"not UTF-8":                   "{\"hostname\":\"\xff\"}",
		"after top-level value":       least + `} {}`,
		"nested deeper":               `{"x":` + strings.Repeat("[", 70) + strings.Repeat("]", 70) + `}`,
		"more than 8192 elements":     `{"mounts":[` + strings.Repeat("{},", 8192) + `{}]}`,
		"more than 4194304 bytes":     strings.Repeat(" ", MaxBytes+1),
		"unexpected":                  least,
		"cannot unmarshal":            `{"process":{"user":{"uid":-1}}}`,
		"cannot unmarshal number 1e0": `{"process":{"user":{"uid":1e0}}}`,
		"cannot unmarshal number 429": `{"process":{"user":{"uid":4294967296}}}`,
	} {
		if _, err := Parse([]byte(in), Options{}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("want an error with %q, got %v", want, err)
		}
	}
}

// TestAbsent reads the least configuration there is: everything absent is the
// widest that a runtime does then.
func TestAbsent(t *testing.T) {
	r, err := Parse([]byte(least+`}`), Options{})
	if err != nil {
		t.Fatal(err)
	}
	for facet, want := range map[string]string{
		"syscalls": "unconfined", "capabilities.effective": "any", "noNewPrivileges": "off", "rootfs": "writable",
		"namespaces.pid": "host", "namespaces.mount": "host", "userNamespace.level": "host", "userNamespace.uids": "any",
		"maskedPaths": "none", "readonlyPaths": "none", "devices.access": "any", "apparmor": "unconfined", "user.umask": "0022",
		"rlimits": "any", "resources.memoryMaxBytes": "any", "resources.swapMaxBytes": "any", "resources.pidsMax": "any",
		"resources.cpuMaxMillis": "any", "propagation": "slave", "process.oomScoreAdj": "any", "hooks": "none", "annotations": "none",
	} {
		if got := r.Boundary.Text(facet); got != want {
			t.Errorf("%s: got %s, want %s", facet, got, want)
		}
	}
	if len(r.Unread)+len(r.Foreign) > 0 {
		t.Errorf("unread %v, foreign %v", r.Unread, r.Foreign)
	}
	for _, facet := range r.Facets {
		if !r.Boundary.States(facet) {
			t.Errorf("%s is neither stated nor unread", facet)
		}
	}
}

func TestUnknownMembers(t *testing.T) {
	in := strings.Replace(least, `"cwd":"/"`, `"cwd":"/","Terminal":true,"apparmorprofile":"x"`, 1) +
		`,"linux":{"seccomp":{"defaultAction":"SCMP_ACT_ERRNO","syscalls":[{"names":["read"],"action":"SCMP_ACT_ALLOW","comment":"x"}]},"landlock":{}}}`
	r, err := Parse([]byte(in), Options{})
	if err != nil {
		t.Fatal(err)
	}
	got := strings.Join(r.Foreign, "\n")
	for _, want := range []string{"process.Terminal", "process.apparmorprofile", "linux.seccomp.syscalls[0].comment", "linux.landlock"} {
		if !strings.Contains(got, "unknown member "+want) {
			t.Errorf("%s is not foreign:\n%s", want, got)
		}
	}
}

// TestResolve follows a link of the image onto the sealed directory and under
// the program, and refuses a resolver that leads nowhere.
func TestResolve(t *testing.T) {
	in := least + `,"mounts":[{"destination":"/x","type":"tmpfs","source":"tmpfs"}]}`
	for to, want := range map[string]string{"/.immure/x": "foreign", "/x": "foreign", "/y": "", "y": "mounts"} {
		r, err := Parse([]byte(in), Options{Resolve: func(p string) string {
			if p == "/x" {
				return to
			}
			return p
		}})
		if err != nil {
			t.Fatal(err)
		}
		got := ""
		if len(r.Foreign) > 0 {
			got = "foreign"
		} else if len(r.Unread) > 0 {
			got = "mounts"
		}
		if got != want {
			t.Errorf("to %s: got %q, want %q (%v %v)", to, got, want, r.Foreign, r.Unread)
		}
	}
}

func TestHookText(t *testing.T) {
	in := least + `,"hooks":{"prestart":[{"path":"/bin/a","args":["a","b c"],"env":["X=1 2"]},{"path":"/bin/a","args":["a b","c"]},{"path":"a"}]}}`
	r, err := Parse([]byte(in), Options{})
	if err != nil {
		t.Fatal(err)
	}
	if got, want := r.Boundary.Text("hooks"), `prestart "X=1 2" /bin/a a "b c", prestart /bin/a "a b" c`; strings.ReplaceAll(got, `\\`, `\`) != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if r.Unread["hooks"] == "" {
		t.Error("a relative hook is read")
	}
}

func TestRenderRefuses(t *testing.T) {
	for want, edit := range map[string]func(*Input){
		"no root file system":      func(in *Input) { in.Rootfs = "" },
		"uid: 0 is not within":     func(in *Input) { in.UID = ptr(uint32(0)) },
		"no name for a cgroup":     func(in *Input) { in.ID = "../x" },
		"\"LANG=C\" is not within": func(in *Input) { in.Env = []string{"LANG=C"} },
		"or named twice":           func(in *Input) { in.Env = []string{"HELLO_A=1", "HELLO_A=2"} },
		"a terminal":               func(in *Input) { in.Terminal = true },
		"takes no source":          func(in *Input) { in.Mounts["/proc"] = "/proc" },
		"has no slot":              func(in *Input) { in.Mounts["/data"] = "/data" },
		"is not granted":           func(in *Input) { in.Devices = []specs.LinuxDevice{{Path: "/dev/sda", Type: "b", Major: 8}} },
		"args: [\"/bin/sh\"]":      func(in *Input) { in.Args = []string{"/bin/sh"} },
		"choose a directory":       func(in *Input) { in.Cwd = "/tmp" },
	} {
		in := helloInput()
		edit(&in)
		if _, err := Render(hello(), in); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("want an error with %q, got %v", want, err)
		}
	}
	b := hello()
	b.Rootfs = ""
	if _, err := Render(b, helloInput()); !errors.Is(err, order.ErrNotStated) {
		t.Errorf("an incomplete boundary is rendered: %v", err)
	}
}

func TestSize(t *testing.T) {
	for text, want := range map[string]string{"1k": "1024", "64M": "67108864", "1g": "1073741824", "7": "7", "0": "any", "50%": "any"} {
		l := optionList{sizes: []string{text}}
		got, err := l.size()
		if err != nil || got.String() != want {
			t.Errorf("size=%s: got %s, %v, want %s", text, got, err, want)
		}
	}
	for _, text := range []string{"", "k", "1kk", "-1", "1t", "0x10"} {
		if got, err := (optionList{sizes: []string{text}}).size(); err == nil {
			t.Errorf("size=%s is read as %s", text, got)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(least + `}`))
	f.Add(mustRender(f, hello(), helloInput()))
	f.Add([]byte(`{"process":{},"root":{},"linux":{"resources":{"cpu":{"quota":9223372036854775807,"period":1}}}}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		r, err := Parse(data, Options{Classify: classify})
		if err != nil {
			return
		}
		for _, facet := range r.Facets {
			if r.Unread[facet] == "" && !r.Boundary.States(facet) {
				t.Errorf("%s is neither stated nor unread", facet)
			}
		}
		for _, f := range r.Foreign {
			if strings.ContainsAny(f, "\n\x1b") {
				t.Errorf("foreign %q would break the line", f)
			}
		}
	})
}

func BenchmarkParse(b *testing.B) {
	data := mustRender(b, hello(), helloInput())
	for b.Loop() {
		if _, err := Parse(data, Options{}); err != nil {
			b.Fatal(err)
		}
	}
}
