package elf

import (
	"bytes"
	"cmp"
	"debug/elf"
	"encoding/binary"
	"io"
	"testing"

	"github.com/immure-dev/immure/internal/rootfs"
)

// An image describes an ELF file for a test: what a linker would be told.
type image struct {
	machine   elf.Machine // EM_X86_64 when zero
	typ       elf.Type    // ET_DYN when zero
	interp    string
	dyn       []dynString
	flags1    uint64
	stack     elf.ProgFlag // RW when zero
	noStack   bool
	noDynamic bool
}

type dynString struct {
	tag elf.DynTag
	val string
}

func needs(names ...string) (d []dynString) {
	for _, n := range names {
		d = append(d, dynString{elf.DT_NEEDED, n})
	}
	return d
}

// bytes lays the file out: headers, interpreter, strings, dynamic array, all
// in one loadable segment at address 0x10000.
func (i image) bytes() []byte {
	const base = 0x10000
	le := binary.LittleEndian
	var phdrs []byte
	count := 1
	if i.interp != "" {
		count++
	}
	if !i.noDynamic {
		count++
	}
	if !i.noStack {
		count++
	}
	at := uint64(fileHeaderSize + count*progHeaderSize)
	var body []byte
	pos := func() uint64 { return at + uint64(len(body)) }
	phdr := func(t elf.ProgType, flags elf.ProgFlag, off, size uint64) {
		phdrs = le.AppendUint32(phdrs, uint32(t))
		phdrs = le.AppendUint32(phdrs, uint32(flags))
		for _, v := range []uint64{off, off + base, off + base, size, size, 8} {
			phdrs = le.AppendUint64(phdrs, v)
		}
	}
	if i.interp != "" {
		phdr(elf.PT_INTERP, elf.PF_R, pos(), uint64(len(i.interp)+1))
		body = append(append(body, i.interp...), 0)
	}
	if !i.noDynamic {
		strtab := pos()
		offsets := []uint64{}
		body = append(body, 0)
		for _, d := range i.dyn {
			offsets = append(offsets, pos()-strtab)
			body = append(append(body, d.val...), 0)
		}
		size := pos() - strtab
		start := pos()
		entry := func(tag elf.DynTag, v uint64) {
			body = le.AppendUint64(le.AppendUint64(body, uint64(tag)), v)
		}
		for k, d := range i.dyn {
			entry(d.tag, offsets[k])
		}
		entry(elf.DT_STRTAB, strtab+base)
		entry(elf.DT_STRSZ, size)
		entry(elf.DT_FLAGS_1, i.flags1)
		entry(elf.DT_NULL, 0)
		phdr(elf.PT_DYNAMIC, elf.PF_R, start, pos()-start)
	}
	if !i.noStack {
		phdr(elf.PT_GNU_STACK, cmp.Or(i.stack, elf.PF_R|elf.PF_W), 0, 0)
	}
	phdr(elf.PT_LOAD, elf.PF_R, 0, pos())

	head := append([]byte(elf.ELFMAG), byte(elf.ELFCLASS64), byte(elf.ELFDATA2LSB), byte(elf.EV_CURRENT))
	head = append(head, make([]byte, 9)...)
	head = le.AppendUint16(head, uint16(cmp.Or(i.typ, elf.ET_DYN)))
	head = le.AppendUint16(head, uint16(cmp.Or(i.machine, elf.EM_X86_64)))
	head = le.AppendUint32(head, 1)
	head = le.AppendUint64(head, 0)
	head = le.AppendUint64(head, fileHeaderSize)
	head = le.AppendUint64(head, 0)
	head = le.AppendUint32(head, 0)
	for _, v := range []uint16{fileHeaderSize, progHeaderSize, uint16(count), 64, 0, 0} {
		head = le.AppendUint16(head, v)
	}
	return append(append(head, phdrs...), body...)
}

// memory is a content without random access, as from a pipe.
type memory []byte

func (m memory) Open() (io.ReadCloser, error) {
	return io.NopCloser(io.MultiReader(bytes.NewReader(m))), nil
}

const loader = "/lib64/ld-linux-x86-64.so.2"

// A world is a root file system by path: an image, bytes of a file, or a
// string that is a link's target. Parents are made.
type world map[string]any

func (w world) source(t *testing.T) Source {
	t.Helper()
	var tree rootfs.Tree
	put := func(n rootfs.Node) {
		if err := tree.Put(n); err != nil {
			t.Fatal(err)
		}
	}
	put(rootfs.Node{Path: "/", Type: rootfs.Directory, Mode: 0o755})
	for p, v := range w {
		for i, c := range p {
			if c == '/' && i > 0 && tree.Get(p[:i]) == nil {
				put(rootfs.Node{Path: p[:i], Type: rootfs.Directory, Mode: 0o755})
			}
		}
		n := rootfs.Node{Path: p, Type: rootfs.Regular, Mode: 0o755}
		switch v := v.(type) {
		case image:
			n.Content, n.Size = memory(v.bytes()), int64(len(v.bytes()))
		case []byte:
			n.Content, n.Size = memory(v), int64(len(v))
		case string:
			n = rootfs.Node{Path: p, Type: rootfs.Symlink, Target: v}
		}
		put(n)
	}
	return FromTree(&tree)
}

// debian is the world that glibc's loader needs, in a merged /usr.
func debian(more world) world {
	w := world{
		"/lib": "usr/lib", "/lib64": "usr/lib64", "/bin": "usr/bin",
		"/usr/lib64/ld-linux-x86-64.so.2":                "/lib/x86_64-linux-gnu/ld-linux-x86-64.so.2",
		"/usr/lib/x86_64-linux-gnu/ld-linux-x86-64.so.2": image{dyn: []dynString{{elf.DT_SONAME, "ld-linux-x86-64.so.2"}}},
		"/usr/lib/x86_64-linux-gnu/libc.so.6": image{
			interp: loader,
			dyn:    append(needs("ld-linux-x86-64.so.2"), dynString{elf.DT_SONAME, "libc.so.6"}),
		},
	}
	for p, v := range more {
		w[p] = v
	}
	return w
}
