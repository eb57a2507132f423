package elf

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"os"
	"strings"
	"testing"
)

func TestParseRefuses(t *testing.T) {
	whole := prog(needs("libc.so.6")...).bytes()
	phdr := func(i int) int { return fileHeaderSize + i*progHeaderSize } // interp, dynamic, stack, load
	put16 := func(at int, v uint16) func([]byte) {
		return func(b []byte) { binary.LittleEndian.PutUint16(b[at:], v) }
	}
	put64 := func(at int, v uint64) func([]byte) {
		return func(b []byte) { binary.LittleEndian.PutUint64(b[at:], v) }
	}
	for _, test := range []struct {
		name, want string
		change     func([]byte)
	}{
		{"version", "version 7", func(b []byte) { b[elf.EI_VERSION] = 7 }},
		{"program header size", "program header size is 32", put16(54, 32)},
		{"no program headers", "0 program headers", put16(56, 0)},
		{"absurdly many program headers", "65535 program headers", put16(56, 0xffff)},
		{"program headers beyond the end", "beyond the end", put64(32, 1<<63)},
		{"segment beyond the end", "a loadable segment is beyond", put64(phdr(3)+32, 1<<40)},
		{"segment that wraps", "a loadable segment is beyond", put64(phdr(3)+16, ^uint64(0))},
		{"two interpreters", "more than one PT_INTERP", func(b []byte) { copy(b[phdr(2):], b[phdr(0):phdr(1)]) }},
		{"two dynamic arrays", "more than one PT_DYNAMIC", func(b []byte) { copy(b[phdr(2):], b[phdr(1):phdr(2)]) }},
		{"two segments that overlap", "overlap or are out of order", func(b []byte) { copy(b[phdr(2):], b[phdr(3):phdr(4)]) }},
		{"huge interpreter", "read PT_INTERP: 5000 bytes", put64(phdr(0)+32, 5000)},
		{"interpreter without end", "ends in a null byte", put64(phdr(0)+32, 3)},
		{"interpreter beyond the end", "read PT_INTERP: 28 bytes at", put64(phdr(0)+8, 1<<40)},
		{"huge dynamic array", "limit 1048576", put64(phdr(1)+32, 1<<21)},
		{"dynamic array elsewhere in memory", "not where its offset is loaded", put64(phdr(1)+16, 0x10000)},
		{"dynamic array without end", "no DT_NULL", put64(phdr(1)+32, 32)},
	} {
		t.Run(test.name, func(t *testing.T) {
			b := bytes.Clone(whole)
			test.change(b)
			_, err := parse(bytes.NewReader(b), int64(len(b)), elf.EM_X86_64)
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v, want %q", err, test.want)
			}
		})
	}
	for n := range whole {
		if _, err := parse(bytes.NewReader(whole[:n]), int64(n), elf.EM_X86_64); err == nil {
			t.Errorf("the first %d of %d bytes were accepted", n, len(whole))
		}
	}
}

func TestStringsRefused(t *testing.T) {
	for want, i := range map[string]image{
		"read DT_NEEDED: empty name":                    lib(needs("")...),
		"does not end within 4096 bytes":                lib(needs(strings.Repeat("a", maxStringBytes))...),
		"4097 names, limit 4096":                        lib(needs(strings.Split(strings.Repeat("a ", maxNeeded)+"a", " ")...)...),
		"read DT_STRTAB: not within a loadable segment": lib(needs("libc.so.6")...),
	} {
		b := i.bytes()
		if strings.Contains(want, "DT_STRTAB") {
			at := bytes.LastIndex(b, []byte{byte(elf.DT_STRTAB), 0, 0, 0, 0, 0, 0, 0})
			binary.LittleEndian.PutUint64(b[at+8:], 1<<40)
		}
		if _, err := parse(bytes.NewReader(b), int64(len(b)), elf.EM_X86_64); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
}

// FuzzParse holds that no file makes the reader panic or read without bound,
// and that every name it gives is in the file.
func FuzzParse(f *testing.F) {
	f.Add(prog(needs("libc.so.6", "libz.so.1")...).bytes())
	f.Add(lib(dynString{elf.DT_RUNPATH, "$ORIGIN"}, dynString{elf.DT_SONAME, "liba.so"}).bytes())
	f.Add(image{typ: elf.ET_EXEC, noDynamic: true}.bytes())
	f.Add([]byte("#!/bin/sh\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		o, err := parse(bytes.NewReader(b), int64(len(b)), elf.EM_X86_64)
		if err != nil {
			return
		}
		for _, name := range append(o.needed, o.wanted...) {
			if len(name) > maxStringBytes || !bytes.Contains(b, []byte(name)) {
				t.Fatalf("name %q is not in the file", name)
			}
		}
	})
}

// The standard library reads section headers where this package reads program
// headers; of an honest file they say the same.
func TestAgainstDebugELF(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range []string{self, "/usr/bin/dpkg-deb", "/usr/bin/apt-get"} {
		file, err := os.Open(p)
		if err != nil {
			t.Fatal(err)
		}
		defer file.Close()
		fi, err := file.Stat()
		if err != nil {
			t.Fatal(err)
		}
		std, err := elf.NewFile(file)
		if err != nil {
			t.Fatal(err)
		}
		o, err := parse(file, fi.Size(), std.Machine)
		if err != nil {
			t.Fatalf("%s: %v", p, err)
		}
		want, err := std.ImportedLibraries()
		if err != nil {
			t.Fatal(err)
		}
		if strings.Join(o.needed, " ") != strings.Join(want, " ") {
			t.Errorf("%s: got %q, want %q", p, o.needed, want)
		}
	}
}
