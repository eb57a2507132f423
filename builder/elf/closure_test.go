package elf

import (
	"debug/elf"
	"slices"
	"strings"
	"testing"

	"github.com/immure-dev/immure/internal/rootfs"
)

func paths(r *Result) (ps []string) {
	for _, f := range r.Files {
		ps = append(ps, f.Path)
	}
	return ps
}

func prog(dyn ...dynString) image { return image{interp: loader, dyn: dyn} }

func lib(dyn ...dynString) image { return image{dyn: dyn} }

var glibc = []string{
	"/lib", "/lib64",
	"/usr/lib/x86_64-linux-gnu/ld-linux-x86-64.so.2",
	"/usr/lib/x86_64-linux-gnu/libc.so.6",
	"/usr/lib64/ld-linux-x86-64.so.2",
}

func TestClosure(t *testing.T) {
	const multi = "/usr/lib/x86_64-linux-gnu/"
	for _, test := range []struct {
		name   string
		world  world
		dlopen []string
		want   []string // beside glibc and the program
	}{
		{"only libc", debian(world{"/usr/bin/p": prog(needs("libc.so.6")...)}), nil, nil},
		{"chain of links", debian(world{
			"/usr/bin/p":        prog(needs("libc.so.6", "liba.so.1")...),
			multi + "liba.so.1": "liba.so.1.2", multi + "liba.so.1.2": "../../libexec/liba", "/usr/libexec/liba": lib(),
		}), nil, []string{multi + "liba.so.1", multi + "liba.so.1.2", "/usr/libexec/liba"}},
		{"needed by needed", debian(world{
			"/usr/bin/p":      prog(needs("libc.so.6", "liba.so")...),
			multi + "liba.so": lib(needs("libb.so")...), "/usr/lib/libb.so": lib(needs("liba.so")...),
		}), nil, []string{multi + "liba.so", "/usr/lib/libb.so"}},
		{"dlopen by name and by path", debian(world{
			"/usr/bin/p":              prog(needs("libc.so.6")...),
			multi + "libnss_dns.so.2": lib(needs("libresolv.so.2")...), multi + "libresolv.so.2": lib(), "/opt/m.so": lib(),
		}), []string{"libnss_dns.so.2", "/opt/m.so"}, []string{multi + "libnss_dns.so.2", multi + "libresolv.so.2", "/opt/m.so"}},
		{"origin, up and down", debian(world{
			"/opt/p/bin/p": prog(append(needs("libc.so.6", "liba.so"), dynString{elf.DT_RUNPATH, "$ORIGIN/../lib:/nowhere"})...),
			"/usr/bin/p":   "/opt/p/bin/p", "/opt/p/lib/liba.so": lib(),
		}), nil, []string{"/opt/p/bin/p", "/opt/p/lib/liba.so"}},
		{"a directory that only a path passes through", debian(world{
			"/usr/bin/p":    prog(append(needs("libc.so.6", "liba.so"), dynString{elf.DT_RUNPATH, "/opt/x/../lib"})...),
			"/opt/x/unused": []byte("x"), "/opt/lib/liba.so": lib(),
		}), nil, []string{"/opt/x", "/opt/lib/liba.so"}},
		{"runpath is not inherited", debian(world{
			"/usr/bin/p":   prog(append(needs("libc.so.6", "liba.so"), dynString{elf.DT_RUNPATH, "/opt"})...),
			"/opt/liba.so": lib(needs("libb.so")...), "/opt/libb.so": image{machine: elf.EM_386}, "/usr/lib/libb.so": lib(),
		}), nil, []string{"/opt/liba.so", "/usr/lib/libb.so"}},
		{"rpath is inherited", debian(world{
			"/usr/bin/p":   prog(append(needs("libc.so.6", "liba.so"), dynString{elf.DT_RPATH, "/opt"})...),
			"/opt/liba.so": lib(needs("libb.so")...), "/opt/libb.so": lib(), "/usr/lib/libb.so": lib(),
		}), nil, []string{"/opt/liba.so", "/opt/libb.so"}},
		{"runpath switches rpath off", debian(world{
			"/usr/bin/p": prog(append(needs("libc.so.6", "liba.so"),
				dynString{elf.DT_RPATH, "/opt"}, dynString{elf.DT_RUNPATH, "/srv"})...),
			"/opt/liba.so": lib(), "/srv/liba.so": lib(),
		}), nil, []string{"/srv/liba.so"}},
		{"$LIB", debian(world{
			"/usr/bin/p":                        prog(append(needs("libc.so.6", "liba.so"), dynString{elf.DT_RUNPATH, "/opt/${LIB}"})...),
			"/opt/lib/x86_64-linux-gnu/liba.so": lib(),
		}), nil, []string{"/opt/lib/x86_64-linux-gnu/liba.so"}},
		{"another machine's library is passed over", debian(world{
			"/usr/bin/p":      prog(needs("libc.so.6", "liba.so")...),
			multi + "liba.so": image{machine: elf.EM_AARCH64}, "/usr/lib/liba.so": lib(),
		}), nil, []string{"/usr/lib/liba.so"}},
		{"soname satisfies", debian(world{
			"/usr/bin/p":   prog(needs("libc.so.6", "/opt/libx.so", "libb.so")...),
			"/opt/libx.so": lib(dynString{elf.DT_SONAME, "liba.so.1"}), "/usr/lib/libb.so": lib(needs("liba.so.1")...),
		}), nil, []string{"/opt/libx.so", "/usr/lib/libb.so"}},
		{"auxiliary, there and not", debian(world{
			"/usr/bin/p": prog(append(needs("libc.so.6"),
				dynString{elf.DT_AUXILIARY, "liba.so"}, dynString{elf.DT_AUXILIARY, "libno.so"})...),
			"/usr/lib/liba.so": lib(),
		}), nil, []string{"/usr/lib/liba.so"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			r, err := Closure(test.world.source(t), "/usr/bin/p", Options{Arch: "amd64", Dlopen: test.dlopen})
			if err != nil {
				t.Fatal(err)
			}
			want := slices.Concat(glibc, []string{"/usr/bin/p"}, test.want)
			got := paths(r)
			slices.Sort(got)
			slices.Sort(want)
			if !slices.Equal(got, want) {
				t.Errorf("got %q\nwant %q", got, want)
			}
			for _, f := range r.Files {
				if f.Why == "" || f.Node == nil || f.Node.Path != f.Path {
					t.Errorf("file %q: why %q, node %v", f.Path, f.Why, f.Node)
				}
			}
			// The closure suffices: alone, it has the same closure.
			alone := make(world)
			for _, f := range r.Files {
				if alone[f.Path] = test.world[f.Path]; f.Node.Type == rootfs.Directory {
					alone[f.Path+"/kept"] = []byte("")
					delete(alone, f.Path)
				}
			}
			alone["/usr/lib/x86_64-linux-gnu/kept"] = []byte("")
			again, err := Closure(alone.source(t), "/usr/bin/p", Options{Arch: "amd64", Dlopen: test.dlopen})
			if err != nil || !slices.Equal(paths(again), paths(r)) {
				t.Errorf("alone: got %q (%v)\nwant %q", paths(again), err, paths(r))
			}
			if r.IsStatic || r.Interpreter != loader || r.ExecStack != nil || r.Cache != nil {
				t.Errorf("got %+v", r)
			}
		})
	}
}

func TestReasons(t *testing.T) {
	r, err := Closure(debian(world{
		"/usr/bin/p":       prog(needs("liba.so", "libc.so.6")...),
		"/usr/lib/liba.so": "../share/a", "/usr/share/a": lib(),
	}).source(t), "/bin/p", Options{Arch: "amd64"})
	if err != nil {
		t.Fatal(err)
	}
	why := make(map[string]string)
	for _, f := range r.Files {
		why[f.Path] = f.Why
	}
	for p, want := range map[string]string{
		"/usr/bin/p":                          "the program",
		"/bin":                                "link on the way to /usr/bin/p, the program",
		"/usr/lib/x86_64-linux-gnu/libc.so.6": "needed by /usr/bin/p",
		"/usr/lib/x86_64-linux-gnu/ld-linux-x86-64.so.2": "ELF interpreter of /usr/bin/p",
		"/usr/share/a":     "needed by /usr/bin/p",
		"/usr/lib/liba.so": "link on the way to /usr/share/a, needed by /usr/bin/p",
	} {
		if why[p] != want {
			t.Errorf("%s: got %q, want %q", p, why[p], want)
		}
	}
	if r.Program != "/usr/bin/p" || !slices.Equal(r.Needed, []string{"/usr/share/a", "/usr/lib/x86_64-linux-gnu/libc.so.6"}) {
		t.Errorf("got program %q, needed %q", r.Program, r.Needed)
	}
}

func TestStatic(t *testing.T) {
	for name, i := range map[string]image{
		"static":     {typ: elf.ET_EXEC, noDynamic: true},
		"static-pie": {},
	} {
		r, err := Closure(world{"/p": i}.source(t), "/p", Options{Arch: "amd64"})
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if !r.IsStatic || !slices.Equal(paths(r), []string{"/p"}) {
			t.Errorf("%s: got %+v", name, r)
		}
	}
}

func TestExecStack(t *testing.T) {
	r, err := Closure(debian(world{
		"/usr/bin/p":       prog(needs("liba.so", "libb.so")...),
		"/usr/lib/liba.so": image{stack: elf.PF_R | elf.PF_W | elf.PF_X},
		"/usr/lib/libb.so": image{noStack: true},
	}).source(t), "/usr/bin/p", Options{Arch: "amd64"})
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		"/usr/lib/liba.so: PT_GNU_STACK asks for an executable stack",
		"/usr/lib/libb.so: no PT_GNU_STACK header, which means an executable stack",
	}
	if !slices.Equal(r.ExecStack, want) {
		t.Errorf("got %q, want %q", r.ExecStack, want)
	}
}

func TestRefusals(t *testing.T) {
	for _, test := range []struct {
		name   string
		world  world
		dlopen []string
		want   string
	}{
		{"no program", world{}, nil, "no such file"},
		{"a directory", world{"/usr/bin/p/q": lib()}, nil, "not a regular file"},
		{"script", world{"/usr/bin/p": []byte("#! /usr/bin/python3 -I\nprint()")}, nil, `a script for "/usr/bin/python3 -I": name that interpreter`},
		{"text", world{"/usr/bin/p": []byte("hello")}, nil, "not an ELF file"},
		{"empty", world{"/usr/bin/p": []byte(nil)}, nil, "not an ELF file"},
		{
			"other machine",
			world{"/usr/bin/p": image{machine: elf.EM_AARCH64}},
			nil,
			"found 64-bit little-endian AARCH64, want 64-bit little-endian X86_64",
		},
		{"32-bit", world{"/usr/bin/p": append([]byte("\x7fELF\x01\x01\x01"), make([]byte, 60)...)}, nil, "found 32-bit little-endian"},
		{"big-endian", world{"/usr/bin/p": append([]byte("\x7fELF\x02\x02\x01"), make([]byte, 60)...)}, nil, "found 64-bit big-endian"},
		{"object file", world{"/usr/bin/p": image{typ: elf.ET_REL}}, nil, "type is ET_REL"},
		{"shared library", world{"/usr/bin/p": lib(needs("libc.so.6")...)}, nil, "a shared library, not a program"},
		{"no interpreter", world{"/usr/bin/p": prog()}, nil, `find ELF interpreter "/lib64/ld-linux-x86-64.so.2" of /usr/bin/p: no such file`},
		{
			"missing library", debian(world{"/usr/bin/p": prog(needs("libz.so.1")...)}), nil,
			`find library "libz.so.1", needed by /usr/bin/p: no such library in /lib, /lib/x86_64-linux-gnu, /usr/lib, /usr/lib/x86_64-linux-gnu: `,
		},
		{
			"missing behind a library", debian(world{"/usr/bin/p": prog(needs("liba.so")...), "/usr/lib/liba.so": lib(needs("libz.so.1")...)}), nil,
			`needed by /usr/lib/liba.so`,
		},
		{
			"only another machine's library", debian(world{"/usr/bin/p": prog(needs("liba.so")...), "/usr/lib/liba.so": image{machine: elf.EM_386}}), nil,
			"/usr/lib/liba.so (found 64-bit little-endian 386",
		},
		{
			"linker script", debian(world{"/usr/bin/p": prog(needs("liba.so")...), "/usr/lib/liba.so": []byte("/* GNU ld script */")}), nil,
			`read "/usr/lib/liba.so": not an ELF file`,
		},
		{"missing dlopen", debian(world{"/usr/bin/p": prog()}), []string{"/opt/m.so"}, `find library "/opt/m.so"`},
		{"dlopen by static", world{"/usr/bin/p": lib()}, []string{"liba.so"}, "without an ELF interpreter"},
		{"relative name", debian(world{"/usr/bin/p": prog(needs("./liba.so")...)}), nil, "relative to the working directory"},
		{"relative runpath", debian(world{
			"/usr/bin/p":       prog(append(needs("liba.so"), dynString{elf.DT_RUNPATH, "/usr/lib:"})...),
			"/usr/lib/liba.so": lib(),
		}), nil, `search path "" of /usr/bin/p is relative`},
		{
			"$PLATFORM", debian(world{"/usr/bin/p": prog(append(needs("liba.so"), dynString{elf.DT_RUNPATH, "/opt/$PLATFORM"})...)}), nil,
			"depends on the processor",
		},
		{"nodefaultlib", debian(world{
			"/usr/bin/p":       image{interp: loader, dyn: needs("liba.so"), flags1: df1NoDefaultLib},
			"/usr/lib/liba.so": lib(),
		}), nil, `find library "liba.so"`},
		{"loop of links", world{"/usr/bin/p": "q", "/usr/bin/q": "p"}, nil, "more than 40 symbolic links"},
		{"relative interpreter", world{"/usr/bin/p": image{interp: "ld.so"}}, nil, "not an absolute path"},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, err := Closure(test.world.source(t), "/usr/bin/p", Options{Arch: "amd64", Dlopen: test.dlopen})
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v, want %q", err, test.want)
			}
		})
	}
	if _, err := Closure(world{}.source(t), "/p", Options{Arch: "s390x"}); err == nil || !strings.Contains(err.Error(), "s390x") {
		t.Errorf("unknown architecture: got %v", err)
	}
	if _, err := Closure(world{}.source(t), "p", Options{Arch: "amd64"}); err == nil || !strings.Contains(err.Error(), "not absolute") {
		t.Errorf("relative program: got %v", err)
	}
}
