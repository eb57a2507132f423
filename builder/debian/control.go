package debian

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"iter"
	"strings"
)

// paragraphs yields the stanzas of control data by field name. Folded lines
// are joined with spaces; of a repeated field the first counts.
//
// Source: deb822(5).
func paragraphs(b []byte) iter.Seq[map[string]string] {
	return func(yield func(map[string]string) bool) {
		fields, last := map[string]string{}, ""
		flush := func() bool {
			defer func() { fields, last = map[string]string{}, "" }()
			return len(fields) == 0 || yield(fields)
		}
		s := bufio.NewScanner(bytes.NewReader(b))
		s.Buffer(nil, maxOutputBytes)
		for s.Scan() {
			line := s.Text()
			if strings.TrimSpace(line) == "" {
				if !flush() {
					return
				}
				continue
			}
			if line[0] == ' ' || line[0] == '\t' {
				if last != "" {
					fields[last] += " " + strings.TrimSpace(line)
				}
				continue
			}
			name, value, ok := strings.Cut(line, ":")
			if _, again := fields[name]; !ok || again {
				last = ""
				continue
			}
			fields[name], last = strings.TrimSpace(value), name
		}
		flush()
	}
}

// readControl reads the control file of the .deb at name, which must be of p,
// and gives p with its source package, and the packages whose files it may
// take over.
func readControl(ctx context.Context, p Package, name string) (Package, map[string]bool, error) {
	out, err := run(ctx, "/", "dpkg-deb", "--field", name,
		"Package", "Version", "Architecture", "Source", "Replaces")
	if err != nil {
		return p, nil, fmt.Errorf("read control file: %w", err)
	}
	fields := map[string]string{}
	for f := range paragraphs(out) {
		fields = f
		break
	}
	got := [3]string{fields["Package"], fields["Version"], fields["Architecture"]}
	if want := [3]string{p.Name, p.Version, p.Architecture}; got != want {
		return p, nil, fmt.Errorf("control file is of %q, want %q", got, want)
	}
	p.Source, p.SourceVersion = source(fields["Source"], p)
	replaces := make(map[string]bool)
	// Versions in Replaces do not matter here: apt has already found that the
	// packages go together.
	for r := range strings.SplitSeq(fields["Replaces"], ",") {
		if f := strings.Fields(r); len(f) > 0 {
			replaces[f[0]] = true
		}
	}
	return p, replaces, nil
}

// source splits a Source field, "glibc" or "glibc (2.36-9)". What it leaves
// out is as in the binary package.
func source(field string, p Package) (name, version string) {
	name, rest, _ := strings.Cut(field, " ")
	if name == "" {
		name = p.Name
	}
	version = strings.Trim(rest, "() ")
	if version == "" {
		version = p.Version
	}
	return name, version
}
