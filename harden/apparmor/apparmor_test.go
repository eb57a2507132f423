package apparmor

import (
	"bytes"
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/immure-dev/immure/harden"
	"github.com/immure-dev/immure/harden/grant"
	"github.com/immure-dev/immure/harden/order"
)

var update = flag.Bool("update", false, "rewrite the files in testdata")

// hello reads the boundary that the tests vary.
func hello(t interface{ Fatal(...any) }) harden.Boundary {
	data, err := os.ReadFile(filepath.Join("testdata", "hello.boundary.json"))
	if err != nil {
		t.Fatal(err)
	}
	b, err := harden.Decode(data)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// parser runs apparmor_parser without a kernel that knows AppArmor: it neither
// loads (-Q) nor caches (-K) what it compiles.
func parser(t interface{ Fatal(...any) }, text string, flags ...string) (stdout, stderr string, err error) {
	program, err := exec.LookPath("apparmor_parser")
	if err != nil {
		if program, err = exec.LookPath("/usr/sbin/apparmor_parser"); err != nil {
			t.Fatal("apparmor_parser is missing: apt-get install apparmor")
		}
	}
	cmd := exec.Command(program, append([]string{"-Q", "-K"}, flags...)...)
	cmd.Stdin = strings.NewReader(text)
	var out, messages bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &messages
	err = cmd.Run()
	return out.String(), messages.String(), err
}

func TestGolden(t *testing.T) {
	got, err := Render("hello", hello(t))
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join("testdata", "hello.apparmor")
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal([]byte(got), want) {
		t.Errorf("%s differs: got\n%s", file, got)
	}
	name, err := Name("hello", hello(t))
	if err != nil || !strings.Contains(got, `profile "`+name+`"`) {
		t.Errorf("name %q, %v, is not that of the text", name, err)
	}
	if _, out, err := parser(t, got, "-o", os.DevNull); err != nil {
		t.Errorf("apparmor_parser: %v: %s", err, out)
	}
}

// TestAny compiles a boundary that grants whatever a rule can.
func TestAny(t *testing.T) {
	b := hello(t)
	b.FileRights = order.AnySet[grant.PathRight]()
	b.Capabilities.Permitted = order.AnySet[grant.Name]()
	b.Network.Listen = order.AnySet[grant.Port]()
	b.Scopes = harden.Scopes{AbstractSockets: "any", Ptrace: "any", Signals: "any"}
	text, err := Render("hello", b)
	if err != nil {
		t.Fatal(err)
	}
	if _, out, err := parser(t, text, "-o", os.DevNull); err != nil {
		t.Errorf("apparmor_parser: %v: %s\n%s", err, out, text)
	}
}

// TestNoPathBreaksOut compiles odd paths: still one profile of our name, and
// each letter of the pattern language stands for itself.
func TestNoPathBreaksOut(t *testing.T) {
	base := hello(t)
	odd := rapid.StringOfN(rapid.SampledFrom([]rune("ab*?[]{}^,@$!#%&()=+;:'<>|~ .-/é\"\\\n\t\x00")), 1, 20, -1)
	tried := 0
	rapid.Check(t, func(t *rapid.T) {
		if tried++; tried > 40 { // each starts a program
			return
		}
		b := base
		p := filepath.Clean("/" + odd.Draw(t, "path"))
		b.FileRights = order.Of(grant.PathRight("read " + p))
		text, err := Render("hello", b)
		if err != nil {
			if !strings.ContainsAny(p, "?\"\\\n\t\x00") {
				t.Fatalf("%q: %v", p, err)
			}
			return
		}
		name, err := Name("hello", b)
		if err != nil {
			t.Fatal(err)
		}
		out, messages, err := parser(t, text, "-N")
		if err != nil || out != name+"\n" {
			t.Fatalf("%q: profiles %q, %v: %s", p, out, err, messages)
		}
		if _, out, err := parser(t, text, "-o", os.DevNull); err != nil {
			t.Fatalf("%q: %v: %s", p, err, out)
		}
	})
}

func TestPatternsAreLiteral(t *testing.T) {
	b := hello(t)
	b.FileRights = order.Of(grant.PathRight("read /a*b.c[d]{e,f}^g@{HOME}$h+i|j(k)"))
	text, err := Render("hello", b)
	if err != nil {
		t.Fatal(err)
	}
	_, out, err := parser(t, text, "-D", "rule-exprs", "-o", os.DevNull)
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	// The regular expression that the compiler made of the pattern.
	if want := `/a\*b\.c\[d\]\{e,f\}\^g@\{HOME\}\$h\+i\|j\(k\)(|/|/[^`; !strings.Contains(out, want) {
		t.Errorf("no rule reads %s:\n%s", want, out)
	}
}

func TestRenderRefuses(t *testing.T) {
	b := hello(t)
	for _, service := range []string{"", "Hello", `a"b`, "a/b", "-a", strings.Repeat("a", 64)} {
		if text, err := Render(service, b); err == nil {
			t.Errorf("service %q is rendered:\n%s", service, text)
		}
	}
	b.Rootfs = ""
	if _, err := Render("hello", b); err == nil {
		t.Error("an incomplete boundary is rendered")
	}
}

func FuzzQuotePath(f *testing.F) {
	f.Add("/etc/hello")
	f.Add("/a\"b,c{d}")
	f.Fuzz(func(t *testing.T, p string) {
		q, err := quotePath(p, beneath)
		if err != nil || p == "/" {
			return
		}
		inner := strings.TrimSuffix(strings.TrimPrefix(q, `"`), beneath+`"`)
		if strings.ContainsAny(inner, "\"\n\x00") {
			t.Errorf("%q breaks out of %s", p, q)
		}
		plain := strings.ReplaceAll(inner, `\`, "")
		if plain != p {
			t.Errorf("%q is quoted as %s", p, q)
		}
	})
}
