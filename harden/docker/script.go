package docker

import (
	"fmt"
	"regexp"
	"strings"
	"sync"

	"github.com/immure-dev/immure/harden"
)

// Script writes [RunFlags] for a POSIX shell, one flag a line, after comments
// that say what is left to the caller.
func Script(b harden.Boundary, image string) (string, error) {
	args, err := RunFlags(b, image)
	if err != nil {
		return "", err
	}
	var out strings.Builder
	if !b.Syscalls.IsUnconfined() {
		fmt.Fprintf(&out, "# The filter: immure render --to seccomp %s > %s\n", quote(image), SeccompFile)
	}
	for _, p := range b.Network.Listen.Members() {
		fmt.Fprintf(&out, "# To publish a port: --publish=HOST:%s\n", p)
	}
	for _, s := range b.Mounts.Members() {
		switch s.Kind {
		case "volume", "config", "secret":
			fmt.Fprintf(&out, "# To fill the %s: --mount=type=…,source=…,target=%s\n", s.Kind, quote(s.At))
		}
	}
	words := append([]string{"docker"}, args...)
	for i := range words {
		words[i] = quote(words[i])
	}
	out.WriteString(words[0] + " " + strings.Join(words[1:], " \\\n  ") + "\n")
	return out.String(), nil
}

var plain = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^[A-Za-z0-9_@%+=:,./-]+$`) })

// quote writes a word so that a shell reads it as it is.
func quote(word string) string {
	if plain().MatchString(word) {
		return word
	}
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}
