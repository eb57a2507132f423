package debian

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func sample() *Lock {
	sum := strings.Repeat("0a", 32)
	return &Lock{lockVersion, "amd64", []string{"aa", "bb=1:2-3"}, []Package{
		{Name: "aa", Version: "1.0~rc1+b2", Architecture: "all", Filename: "pool/a/aa.deb", Size: 1, SHA256: sum},
		{Name: "bb", Version: "1:2-3", Architecture: "amd64", Filename: "pool/b/bb.deb", Size: 2, SHA256: sum},
	}}
}

func TestLockRoundTrip(t *testing.T) {
	name := filepath.Join(t.TempDir(), "immure.lock")
	if _, err := ReadLock(name); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no lock file: got %v", err)
	}
	if err := sample().Write(name); err != nil {
		t.Fatal(err)
	}
	l, err := ReadLock(name)
	if err != nil {
		t.Fatal(err)
	}
	again, err := l.encode()
	if err != nil {
		t.Fatal(err)
	}
	if b, err := os.ReadFile(name); err != nil || !bytes.Equal(b, again) {
		t.Errorf("got %s, want %s (%v)", again, b, err)
	}
	if err := l.covers([]string{"aa", "bb=1:2-3"}, "arm64"); err == nil || !strings.Contains(err.Error(), "architecture amd64, want arm64") {
		t.Errorf("other architecture: got %v", err)
	}
}

func TestLockRefuses(t *testing.T) {
	for want, change := range map[string]func(*Lock){
		"lock version is 2":             func(l *Lock) { l.LockVersion = 2 },
		`architecture "../x"`:           func(l *Lock) { l.Architecture = "../x" },
		"0 packages":                    func(l *Lock) { l.Packages = nil },
		"out of order or named twice":   func(l *Lock) { l.Packages[1].Name = "aa" },
		"architecture is i386":          func(l *Lock) { l.Packages[0].Architecture = "i386" },
		"not a package name":            func(l *Lock) { l.Packages[0].Name = "-o" },
		`version "1 2"`:                 func(l *Lock) { l.Packages[0].Version = "1 2" },
		"not a path in the pool":        func(l *Lock) { l.Packages[0].Filename = "pool/../../etc/passwd" },
		`"http://example.org/aa.deb"`:   func(l *Lock) { l.Packages[0].Filename = "http://example.org/aa.deb" },
		"size is 0":                     func(l *Lock) { l.Packages[0].Size = 0 },
		"64 lower-case hex digits":      func(l *Lock) { l.Packages[0].SHA256 = strings.Repeat("0A", 32) },
		`sha256 "0a"`:                   func(l *Lock) { l.Packages[0].SHA256 = "0a" },
		"no package is requested":       func(l *Lock) { l.Requested = nil },
		"requested names are out of":    func(l *Lock) { l.Requested = []string{"bb", "aa"} },
		"requested package cc is not":   func(l *Lock) { l.Requested = []string{"cc"} },
		`package "aa-": want a name`:    func(l *Lock) { l.Requested = []string{"aa-"} },
		`package "aa=1 b": want a name`: func(l *Lock) { l.Requested = []string{"aa=1 b"} },
	} {
		l := sample()
		change(l)
		b, err := l.encode()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := decodeLock(b); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
		if err := l.Write(filepath.Join(t.TempDir(), "lock")); err == nil {
			t.Errorf("%s: written", want)
		}
	}
}

func TestLockIsStrict(t *testing.T) {
	b, err := sample().encode()
	if err != nil {
		t.Fatal(err)
	}
	s := string(b)
	for name, changed := range map[string]string{
		"trailing data":  s + "{}",
		"trailing space": s + " ",
		"unknown key":    strings.Replace(s, `"lockVersion"`, `"extra": 1, "lockVersion"`, 1),
		"repeated key":   strings.Replace(s, `"architecture": "amd64"`, `"architecture": "arm64", "architecture": "amd64"`, 1),
		"folded key":     strings.Replace(s, `"requested"`, `"Requested"`, 1),
		"empty":          "",
	} {
		if _, err := decodeLock([]byte(changed)); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	name := filepath.Join(t.TempDir(), "immure.lock")
	if err := os.WriteFile(name, bytes.Repeat([]byte(" "), maxLockBytes+1), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := ReadLock(name); err == nil || !strings.Contains(err.Error(), "more than") {
		t.Errorf("huge lock file: got %v", err)
	}
}

// FuzzDecodeLock holds that what is accepted is safe to hand to apt-get and to
// make file names of, and is written as it was read.
func FuzzDecodeLock(f *testing.F) {
	b, err := sample().encode()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b)
	f.Add([]byte(`{"lockVersion":1}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		l, err := decodeLock(b)
		if err != nil {
			return
		}
		again, err := l.encode()
		if err != nil || !bytes.Equal(again, b) {
			t.Fatalf("read %q, wrote %q, %v", b, again, err)
		}
		for _, p := range l.Packages {
			if strings.ContainsAny(p.Name+p.Version+p.SHA256, "/ \n\x00") || strings.HasPrefix(p.Name, "-") {
				t.Fatalf("accepted %+v", p)
			}
		}
	})
}

// FuzzAnswers holds that nothing apt prints makes its readers panic.
func FuzzAnswers(f *testing.F) {
	f.Add([]byte("'http://h/a%2bb_1%3a2_all.deb' a_1%3a2_all.deb 12 SHA256:00\n"))
	f.Add([]byte("Package: a\nReplaces: b,\n c (<< 1)\n\nPackage: b\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		if packages, err := parseURIs(b); err == nil && len(packages) == 0 {
			t.Fatal("neither packages nor an error")
		}
		for fields := range paragraphs(b) {
			if len(fields) == 0 {
				t.Fatal("a stanza without fields")
			}
			source(fields["Source"], Package{})
		}
	})
}
