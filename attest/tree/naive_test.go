package tree_test

import (
	"crypto/sha256"
	"fmt"
	"math/big"
	"slices"
	"sort"
	"strconv"
	"strings"
)

// This is a second implementation of the specification, from its text alone: no
// code in common with the first, and neither quick nor sparing.

func naiveDigest(nodes []node, skip []string) string {
	sorted := slices.Clone(nodes)
	sort.Slice(sorted, func(i, j int) bool {
		// Path order is byte order once the slash sorts before all else; NUL
		// is in no name.
		key := func(n node) string { return strings.ReplaceAll(strings.TrimSuffix(n.Path, "/"), "/", "\x00") }
		return key(sorted[i]) < key(sorted[j])
	})
	all := "immureTree1/tree\x00"
	for _, n := range sorted {
		if !slices.Contains(skip, n.Path) {
			all += naiveEntry(n)
		}
	}
	return fmt.Sprintf("%x", sha256.Sum256([]byte(all)))
}

func naiveEntry(n node) string {
	mode, _ := strconv.ParseInt("0"+n.Mode, 8, 64)
	if n.Path == "/" {
		mode = 0
	}
	e := number(4, int64(len(n.Path))) + n.Path + n.Type + number(4, mode) + number(4, int64(n.UID)) + number(4, int64(n.GID))
	switch n.Type {
	case "f":
		return e + naiveFile(n.content()) + naiveCapability(n.Capability)
	case "l":
		return e + number(4, int64(len(n.Target))) + n.Target
	case "c", "b":
		return e + number(4, int64(n.Major)) + number(4, int64(n.Minor))
	}
	return e
}

func naiveFile(content string) string {
	all := "immureTree1/file\x00" + number(8, int64(len(content)))
	for len(content) > 0 {
		chunk := content[:min(len(content), 1048576)]
		content = content[len(chunk):]
		h := sha256.Sum256([]byte("immureTree1/chunk\x00" + chunk))
		all += string(h[:])
	}
	h := sha256.Sum256([]byte(all))
	return string(h[:])
}

// naiveCapability takes the value apart as text: little-endian words of eight
// hexadecimal digits.
func naiveCapability(value string) string {
	if value == "" {
		return "\x00"
	}
	word := func(i int) string {
		w := value[8*i : 8*i+8]
		return string(unhex(w[6:8] + w[4:6] + w[2:4] + w[0:2]))
	}
	rootid := "\x00\x00\x00\x00"
	if len(value) == 48 {
		rootid = word(5)
	}
	return "\x01" + word(0)[3:] + word(3) + word(1) + word(4) + word(2) + rootid
}

// number is v in big-endian order, in width bytes.
func number(width int, v int64) string {
	return string(big.NewInt(v).FillBytes(make([]byte, width)))
}
