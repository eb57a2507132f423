package strict

// A scanner steps through a document that [encoding/json.Valid] has passed, so
// that it need not look for faults and reads each byte once.
type scanner struct {
	data []byte
	at   int
}

// next is the first byte of what comes after spaces.
func (s *scanner) next() byte {
	for s.at < len(s.data) {
		switch c := s.data[s.at]; c {
		case ' ', '\t', '\r', '\n':
			s.at++
		default:
			return c
		}
	}
	return 0
}

// object calls f with each name, as it stands in the document, quotes included;
// f reads the value.
func (s *scanner) object(f func(name []byte) error) error {
	return s.list('}', func() error {
		name := s.value()
		s.next()
		s.at++ // the colon
		return f(name)
	})
}

// array calls f for each element, which f reads.
func (s *scanner) array(f func() error) error { return s.list(']', f) }

func (s *scanner) list(end byte, f func() error) error {
	s.next()
	s.at++ // what opens it
	for s.next() != end {
		if err := f(); err != nil {
			return err
		}
		if s.next() == ',' {
			s.at++
		}
	}
	s.at++
	return nil
}

// value reads a value, whatever is in it.
func (s *scanner) value() []byte {
	s.next()
	start, depth := s.at, 0
	for s.at < len(s.data) {
		switch s.data[s.at] {
		case '"':
			s.text()
		case '{', '[':
			s.at++
			depth++
		case '}', ']':
			s.at++
			depth--
		case ',', ':':
			s.at++
		default:
			s.plain()
		}
		if depth == 0 {
			break
		}
	}
	return s.data[start:s.at]
}

// text reads a string.
func (s *scanner) text() {
	for s.at++; s.data[s.at] != '"'; s.at++ {
		if s.data[s.at] == '\\' {
			s.at++
		}
	}
	s.at++
}

// plain reads one space, or a number, true, false or null.
func (s *scanner) plain() {
	for s.at++; s.at < len(s.data); s.at++ {
		switch s.data[s.at] {
		case ' ', '\t', '\r', '\n', ',', ':', ']', '}':
			return
		}
	}
}
