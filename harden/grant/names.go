package grant

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// A Name is a grant that covers itself alone: a capability, an annotation key.
type Name string

// Covers reports equality.
func (n Name) Covers(m Name) bool { return n == m }

// Common returns the name both are.
func (n Name) Common(m Name) (Name, bool) { return n, n == m }

// Check reports a name that is empty or not printable text.
func (n Name) Check() error { return checkText(string(n)) }

func (n Name) String() string { return string(n) }

// checkText refuses what could not be shown to a person or encoded canonically.
func checkText(s string) error {
	if s == "" {
		return fmt.Errorf("empty text")
	}
	if !utf8.ValidString(s) || strings.ContainsRune(s, 0) {
		return fmt.Errorf("%q is not UTF-8 text without NUL", s)
	}
	return nil
}

// A Pattern is a text, or all texts that begin with a prefix: an unescaped "*"
// at the end stands for anything. A literal "*" or backslash is written with a
// backslash before it; [Literal] does so.
type Pattern string

// Literal is the pattern of s alone.
func Literal(s string) Pattern {
	if !strings.ContainsAny(s, `\*`) {
		return Pattern(s)
	}
	return Pattern(strings.NewReplacer(`\`, `\\`, `*`, `\*`).Replace(s))
}

// Prefix is the pattern of every text that begins with s.
func Prefix(s string) Pattern { return Literal(s) + "*" }

// split returns the text without escapes and whether the pattern is a prefix.
func (p Pattern) split() (text string, prefix bool, err error) {
	s := string(p)
	if i := strings.IndexAny(s, `\*`); i < 0 {
		return s, false, nil
	} else if i == len(s)-1 && s[i] == '*' {
		return s[:i], true, nil
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		switch {
		case s[i] == '*' && i == len(s)-1:
			return b.String(), true, nil
		case s[i] == '*':
			return "", false, fmt.Errorf("pattern %q: * may only stand at the end; write \\* for a star", s)
		case s[i] == '\\':
			i++
			if i == len(s) || (s[i] != '*' && s[i] != '\\') {
				return "", false, fmt.Errorf("pattern %q: a backslash goes before * or \\ only", s)
			}
		}
		b.WriteByte(s[i])
	}
	return b.String(), false, nil
}

// Matches reports whether the text s is one that p stands for.
func (p Pattern) Matches(s string) bool { return p.Covers(Literal(s)) }

// Covers reports whether p stands for every text that q does.
func (p Pattern) Covers(q Pattern) bool {
	a, open, err1 := p.split()
	b, wide, err2 := q.split()
	if err1 != nil || err2 != nil {
		return false
	}
	if open {
		return strings.HasPrefix(b, a)
	}
	return a == b && !wide
}

// Common returns the narrower of two patterns when one covers the other; other
// patterns share nothing.
func (p Pattern) Common(q Pattern) (Pattern, bool) {
	if p.Covers(q) {
		return q, true
	}
	return p, q.Covers(p)
}

// Check reports a malformed pattern. The empty pattern is the empty text.
func (p Pattern) Check() error {
	if p != "" {
		if err := checkText(string(p)); err != nil {
			return err
		}
	}
	_, _, err := p.split()
	return err
}

func (p Pattern) String() string { return string(p) }
