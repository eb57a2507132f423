package elf

import (
	"encoding/binary"
	"maps"
	"slices"
)

// cache writes an ld.so.cache of the paths by library name, in glibc's format
// 1.1 without extensions.
//
// Source: glibc sysdeps/generic/dl-cache.h, struct cache_file_new.
func cache(paths map[string]string, flags uint32) []byte {
	const headerSize, entrySize = 48, 24
	names := slices.Collect(maps.Keys(paths))
	// ld.so searches by bisection in descending order of its own comparison.
	slices.SortFunc(names, func(a, b string) int { return compareNames(b, a) })

	var strings []byte
	base := uint32(headerSize + entrySize*len(names))
	add := func(s string) uint32 {
		at := base + uint32(len(strings))
		strings = append(append(strings, s...), 0)
		return at
	}
	le := binary.LittleEndian
	var entries []byte
	for _, name := range names {
		entries = le.AppendUint32(entries, flags)
		entries = le.AppendUint32(entries, add(name))
		entries = le.AppendUint32(entries, add(paths[name]))
		entries = append(entries, make([]byte, 12)...) // oldest kernel, hwcaps: none
	}
	out := []byte("glibc-ld.so.cache1.1")
	out = le.AppendUint32(out, uint32(len(names)))
	out = le.AppendUint32(out, uint32(len(strings)))
	out = append(out, 2, 0, 0, 0) // little-endian
	out = append(out, make([]byte, headerSize-len(out))...)
	return append(append(out, entries...), strings...)
}

// compareNames is _dl_cache_libcmp of glibc's elf/dl-cache.c: digits compare as
// numbers and come after everything else.
func compareNames(a, b string) int {
	digit := func(s string) bool { return s != "" && s[0] >= '0' && s[0] <= '9' }
	number := func(s *string) int32 {
		var n int32
		for digit(*s) {
			n = n*10 + int32((*s)[0]-'0')
			*s = (*s)[1:]
		}
		return n
	}
	for a != "" {
		switch {
		case digit(a) && digit(b):
			if m, n := number(&a), number(&b); m != n {
				return int(m) - int(n)
			}
		case digit(a):
			return 1
		case digit(b):
			return -1
		case b == "":
			return 1
		case a[0] != b[0]:
			return int(a[0]) - int(b[0])
		default:
			a, b = a[1:], b[1:]
		}
	}
	return -len(b)
}
