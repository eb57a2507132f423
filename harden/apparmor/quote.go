package apparmor

import (
	"fmt"
	"path"
	"strings"
)

// quotePath writes a clean absolute path as a pattern that matches it alone,
// followed by a suffix that is a pattern already. No path ends the quotes:
// a letter of the pattern language stands behind a backslash, and what is not
// plain text is an error, for the parser reads octal escapes of its own, and
// takes the backslash off a question mark before its regular expressions see it.
func quotePath(p, suffix string) (string, error) {
	if !path.IsAbs(p) || path.Clean(p) != p {
		return "", fmt.Errorf("path %q is not absolute and clean", p)
	}
	if p == "/" && suffix == beneath {
		return `"/{,**}"`, nil
	}
	var b strings.Builder
	b.WriteByte('"')
	for _, r := range p {
		switch {
		case r < ' ' || r == 0x7f || r == '"' || strings.ContainsRune(`\?`+"\uFFFD", r):
			return "", fmt.Errorf("path %q holds a character that no AppArmor rule can", p)
		case strings.ContainsRune("*[]{}^,@$", r):
			b.WriteByte('\\')
		}
		b.WriteRune(r)
	}
	b.WriteString(suffix)
	b.WriteByte('"')
	return b.String(), nil
}
