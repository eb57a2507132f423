package oci

import (
	"slices"
	"strings"
)

// unsafeKeys change what a runtime does; one that ends in a dot is a prefix.
//
// Sources: "potentiallyUnsafeConfigAnnotations" of runc features and of crun
// features; Kata Containers and gVisor read theirs the same way.
//
// Of crun's list, io.kubernetes.cri.container-type is left out: every CRI
// engine sets it, and it only keeps a handler (run.oci.handler) from the
// sandbox.
var unsafeKeys = []string{
	"bundle", "org.systemd.property.", "org.criu.",
	"module.wasm.image/variant", "run.oci.", "krun.",
	"io.katacontainers.", "dev.gvisor.",
}

// unsafeAnnotations returns the keys that no engine sets for its own book-keeping.
func unsafeAnnotations(annotations map[string]string) []string {
	var list []string
	for key := range annotations {
		if slices.ContainsFunc(unsafeKeys, func(k string) bool {
			return key == k || (strings.HasSuffix(k, ".") && strings.HasPrefix(key, k))
		}) {
			list = append(list, key)
		}
	}
	return list
}
