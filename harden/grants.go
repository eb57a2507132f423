package harden

// Grants lists what b grants in one facet: the elements of a set, the calls of
// a filter, or the one value of another facet. A facet that grants nothing, or
// does not exist, has none.
func (b Boundary) Grants(name string) []string {
	f, ok := find(name)
	if !ok {
		return nil
	}
	return f.grants(&b)
}

func grants(v any) []string {
	if s, ok := v.(interface{ Grants() []string }); ok {
		return s.Grants()
	}
	return []string{text(v)}
}

// Grants lists the calls that may be made, or "any".
func (s Syscalls) Grants() []string {
	if s.unconfined {
		return []string{s.String()}
	}
	return s.Allowed()
}
