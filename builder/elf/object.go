package elf

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"path"
	"strings"
)

// Bounds on what is read of one file. The first is the kernel's own (ELF_MIN
// of fs/binfmt_elf.c reads at most 64 KiB of program headers); the others are
// far above anything a linker writes.
const (
	maxProgHeaders  = 65536 / progHeaderSize
	maxDynamicBytes = 1 << 20
	maxStringBytes  = 4096
	maxNeeded       = 4096

	fileHeaderSize = 64
	progHeaderSize = 56
)

// Entries of the dynamic array that debug/elf does not name.
const (
	dtAudit    = 0x6ffffefc
	dtDepAudit = 0x6ffffefb

	df1NoDefaultLib = 0x800
)

// A wrongMachineError reports a well-formed file that this closure cannot use:
// ld.so passes over such a library and looks further.
type wrongMachineError struct{ got, want string }

func (e *wrongMachineError) Error() string {
	return fmt.Sprintf("found %s, want %s", e.got, e.want)
}

// errNotELF is returned for a file without the ELF magic number.
var errNotELF = errors.New("not an ELF file")

// An object is what the kernel and ld.so take from one ELF file.
type object struct {
	interp  string   // PT_INTERP, "" without
	needed  []string // DT_NEEDED, DT_FILTER and the audit libraries, in order
	wanted  []string // DT_AUXILIARY: loaded when found
	rpath   []string // DT_RPATH, not expanded
	runpath []string // DT_RUNPATH, not expanded
	soname  string

	hasRunpath   bool
	noDefaultLib bool // DF_1_NODEFLIB
	execStack    string
}

// A segment is one loadable part of the file: size bytes at off appear at addr.
type segment struct{ off, addr, size uint64 }

// machineName describes class, byte order and machine for people.
func machineName(class elf.Class, data elf.Data, m elf.Machine) string {
	bits := map[elf.Class]string{elf.ELFCLASS32: "32-bit", elf.ELFCLASS64: "64-bit"}[class]
	if bits == "" {
		bits = fmt.Sprintf("class %d", class)
	}
	order := map[elf.Data]string{elf.ELFDATA2LSB: "little-endian", elf.ELFDATA2MSB: "big-endian"}[data]
	if order == "" {
		order = fmt.Sprintf("byte order %d", data)
	}
	return bits + " " + order + " " + strings.TrimPrefix(m.String(), "EM_")
}

// parse reads the ELF file r of size bytes for machine want. It returns
// errNotELF or a *wrongMachineError for files that ld.so would pass over.
func parse(r io.ReaderAt, size int64, want elf.Machine) (*object, error) {
	head := make([]byte, fileHeaderSize)
	if size < 4 {
		return nil, errNotELF
	}
	n, err := r.ReadAt(head[:min(size, fileHeaderSize)], 0)
	if err != nil && (!errors.Is(err, io.EOF) || n < 4) {
		return nil, fmt.Errorf("read ELF header: %w", err)
	}
	if string(head[:4]) != elf.ELFMAG {
		return nil, errNotELF
	}
	if n < fileHeaderSize && (n < 20 || elf.Class(head[elf.EI_CLASS]) == elf.ELFCLASS64) {
		return nil, errors.New("read ELF header: file is truncated")
	}
	class, data := elf.Class(head[elf.EI_CLASS]), elf.Data(head[elf.EI_DATA])
	order := binary.ByteOrder(binary.LittleEndian)
	if data == elf.ELFDATA2MSB {
		order = binary.BigEndian
	}
	got := elf.Machine(order.Uint16(head[18:]))
	if class != elf.ELFCLASS64 || data != elf.ELFDATA2LSB || got != want {
		return nil, &wrongMachineError{
			machineName(class, data, got),
			machineName(elf.ELFCLASS64, elf.ELFDATA2LSB, want),
		}
	}
	le := binary.LittleEndian
	if v := head[elf.EI_VERSION]; v != byte(elf.EV_CURRENT) {
		return nil, fmt.Errorf("read ELF header: version %d, want 1", v)
	}
	if t := elf.Type(le.Uint16(head[16:])); t != elf.ET_EXEC && t != elf.ET_DYN {
		return nil, fmt.Errorf("read ELF header: type is %s, want a program or a shared library", t)
	}
	if s := le.Uint16(head[54:]); s != progHeaderSize {
		return nil, fmt.Errorf("read ELF header: program header size is %d, want %d", s, progHeaderSize)
	}
	count := int(le.Uint16(head[56:]))
	if count == 0 || count > maxProgHeaders {
		return nil, fmt.Errorf("read ELF header: %d program headers, want 1 to %d", count, maxProgHeaders)
	}
	f := file{r, size}
	table, err := f.read(le.Uint64(head[32:]), uint64(count)*progHeaderSize)
	if err != nil {
		return nil, fmt.Errorf("read program headers: %w", err)
	}
	return f.object(table, want)
}

// A file reads within a known size, so that no offset of a hostile file asks
// for more than there is.
type file struct {
	r    io.ReaderAt
	size int64
}

func (f file) read(off, n uint64) ([]byte, error) {
	if off > uint64(f.size) || n > uint64(f.size)-off {
		return nil, fmt.Errorf("%d bytes at offset %d are beyond the end of the file (%d bytes)", n, off, f.size)
	}
	b := make([]byte, n)
	if m, err := f.r.ReadAt(b, int64(off)); m < len(b) {
		return nil, fmt.Errorf("%d bytes at offset %d: %w", n, off, err)
	}
	return b, nil
}

func (f file) object(table []byte, want elf.Machine) (*object, error) {
	le := binary.LittleEndian
	o := &object{execStack: missingStackHeader(want)}
	var loads []segment
	var dynamic, interp *segment
	for ; len(table) > 0; table = table[progHeaderSize:] {
		s := segment{le.Uint64(table[8:]), le.Uint64(table[16:]), le.Uint64(table[32:])}
		switch elf.ProgType(le.Uint32(table)) {
		case elf.PT_LOAD:
			if s.off > uint64(f.size) || s.size > uint64(f.size)-s.off || s.addr+s.size < s.addr {
				return nil, errors.New("read program headers: a loadable segment is beyond the end of the file")
			}
			if k := len(loads); k > 0 && s.addr < loads[k-1].addr+loads[k-1].size {
				return nil, errors.New("read program headers: loadable segments overlap or are out of order")
			}
			loads = append(loads, s)
		case elf.PT_DYNAMIC:
			if dynamic != nil {
				return nil, errors.New("read program headers: more than one PT_DYNAMIC")
			}
			dynamic = &s
		case elf.PT_INTERP:
			if interp != nil {
				return nil, errors.New("read program headers: more than one PT_INTERP")
			}
			interp = &s
		case elf.PT_GNU_STACK:
			o.execStack = ""
			if elf.ProgFlag(le.Uint32(table[4:]))&elf.PF_X != 0 {
				o.execStack = "PT_GNU_STACK asks for an executable stack"
			}
		}
	}
	if interp != nil {
		if interp.size > maxStringBytes {
			return nil, fmt.Errorf("read PT_INTERP: %d bytes, limit %d", interp.size, maxStringBytes)
		}
		b, err := f.read(interp.off, interp.size)
		if err != nil {
			return nil, fmt.Errorf("read PT_INTERP: %w", err)
		}
		name, _, ok := bytes.Cut(b, []byte{0})
		if o.interp = string(name); !ok || !path.IsAbs(o.interp) {
			return nil, fmt.Errorf("read PT_INTERP: %q is not an absolute path that ends in a null byte", b)
		}
	}
	if dynamic == nil {
		return o, nil
	}
	return o, f.dynamic(o, *dynamic, loads)
}

// missingStackHeader says what a file without PT_GNU_STACK means. glibc then
// makes stacks executable on the machines whose psABI had them so
// (DEFAULT_STACK_PERMS of sysdeps/*/stackinfo.h).
func missingStackHeader(m elf.Machine) string {
	if m == elf.EM_RISCV {
		return ""
	}
	return "no PT_GNU_STACK header, which means an executable stack"
}
