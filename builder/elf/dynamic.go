package elf

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
)

// dynamic reads the dynamic array at d into o.
func (f file) dynamic(o *object, d segment, loads []segment) error {
	if d.size > maxDynamicBytes {
		return fmt.Errorf("read PT_DYNAMIC: %d bytes, limit %d", d.size, maxDynamicBytes)
	}
	// ld.so finds the array in memory, tools find it in the file: a file in
	// which the two differ shows one closure and loads another.
	if off, ok := fileOffset(loads, d.addr, d.size); !ok || off != d.off {
		return errors.New("read PT_DYNAMIC: its address is not where its offset is loaded")
	}
	b, err := f.read(d.off, d.size)
	if err != nil {
		return fmt.Errorf("read PT_DYNAMIC: %w", err)
	}
	type entry struct {
		tag elf.DynTag
		val uint64
	}
	var names []entry
	var table, tableSize uint64
	ended := false
	for ; len(b) >= 16 && !ended; b = b[16:] {
		e := entry{elf.DynTag(binary.LittleEndian.Uint64(b)), binary.LittleEndian.Uint64(b[8:])}
		switch e.tag {
		case elf.DT_NULL:
			ended = true
		case elf.DT_STRTAB:
			table = e.val
		case elf.DT_STRSZ:
			tableSize = e.val
		case elf.DT_FLAGS_1:
			o.noDefaultLib = e.val&df1NoDefaultLib != 0
		case elf.DT_NEEDED, elf.DT_FILTER, elf.DT_AUXILIARY, elf.DT_SONAME,
			elf.DT_RPATH, elf.DT_RUNPATH, dtAudit, dtDepAudit:
			names = append(names, e)
		}
	}
	if !ended {
		return errors.New("read PT_DYNAMIC: no DT_NULL at its end")
	}
	if len(names) > maxNeeded {
		return fmt.Errorf("read PT_DYNAMIC: %d names, limit %d", len(names), maxNeeded)
	}
	strtab, ok := fileOffset(loads, table, tableSize)
	if !ok && len(names) > 0 {
		return errors.New("read DT_STRTAB: not within a loadable segment")
	}
	for _, e := range names {
		s, err := f.string(strtab, tableSize, e.val)
		if err != nil {
			return fmt.Errorf("read %s: %w", tagName(e.tag), err)
		}
		if s == "" && e.tag != elf.DT_RPATH && e.tag != elf.DT_RUNPATH {
			return fmt.Errorf("read %s: empty name", tagName(e.tag))
		}
		switch e.tag {
		case elf.DT_SONAME:
			o.soname = s
		case elf.DT_RPATH:
			o.rpath = strings.Split(s, ":")
		case elf.DT_RUNPATH:
			o.runpath, o.hasRunpath = strings.Split(s, ":"), true
		case elf.DT_AUXILIARY:
			o.wanted = append(o.wanted, s)
		case dtAudit, dtDepAudit:
			o.needed = append(o.needed, strings.Split(s, ":")...)
		default:
			o.needed = append(o.needed, s)
		}
	}
	return nil
}

func tagName(t elf.DynTag) string {
	switch t {
	case dtAudit:
		return "DT_AUDIT"
	case dtDepAudit:
		return "DT_DEPAUDIT"
	}
	return t.String()
}

// fileOffset is where in the file the n bytes at address addr come from.
func fileOffset(loads []segment, addr, n uint64) (uint64, bool) {
	for _, l := range loads {
		if addr >= l.addr && addr-l.addr <= l.size && n <= l.size-(addr-l.addr) {
			return l.off + (addr - l.addr), true
		}
	}
	return 0, false
}

// string reads the null-terminated string at index i of the table of size
// bytes at off.
func (f file) string(off, size, i uint64) (string, error) {
	if i >= size {
		return "", fmt.Errorf("string %d is beyond the table (%d bytes)", i, size)
	}
	b, err := f.read(off+i, min(size-i, maxStringBytes))
	if err != nil {
		return "", err
	}
	s, _, ok := bytes.Cut(b, []byte{0})
	if !ok {
		return "", fmt.Errorf("string %d does not end within %d bytes", i, len(b))
	}
	return string(s), nil
}
