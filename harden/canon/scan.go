package canon

import (
	"bytes"
	"encoding/json"
	"errors"
	"unicode/utf8"
)

// A Scanner steps through a JSON document of any form, for readers that want to
// see members as they are written. The document was found valid before, so that
// no step fails and each byte is read once.
type Scanner struct {
	data []byte
	at   int
}

// Scan wants one whole JSON value (RFC 8259) in UTF-8, around which only space
// may stand.
func Scan(data []byte) (*Scanner, error) {
	if !utf8.Valid(data) {
		return nil, errors.New("not UTF-8")
	}
	if !json.Valid(data) {
		var whole json.RawMessage
		return nil, json.Unmarshal(data, &whole) // says why
	}
	return &Scanner{data: data}, nil
}

// Unquote returns what a string says that stands in a valid document.
func Unquote(raw []byte) (text string, err error) {
	if len(raw) >= 2 && !bytes.Contains(raw, []byte{'\\'}) {
		return string(raw[1 : len(raw)-1]), nil
	}
	err = json.Unmarshal(raw, &text)
	return text, err
}

// Next is the first byte of the next value, 0 at the end.
func (s *Scanner) Next() byte {
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

// Object calls f with each name, as it stands in the document, quotes included;
// f reads the value.
func (s *Scanner) Object(f func(name []byte) error) error {
	return s.list('}', func() error {
		name := s.Value()
		s.Next()
		s.at++ // the colon
		return f(name)
	})
}

// Array calls f for each element, which f reads.
func (s *Scanner) Array(f func() error) error { return s.list(']', f) }

func (s *Scanner) list(end byte, f func() error) error {
	s.Next()
	s.at++ // what opens it
	for s.Next() != end {
		before := s.at
		if err := f(); err != nil {
			return err
		}
		if s.Next() == ',' {
			s.at++
		}
		if s.at == before || s.at >= len(s.data) {
			return errLost
		}
	}
	s.at++
	return nil
}

// errLost cannot come of a valid document whose values are all read.
var errLost = errors.New("lost the way in a JSON document")

// End wants the document to have been read.
func (s *Scanner) End() error {
	if s.Next() != 0 {
		return errLost
	}
	return nil
}

// Value reads a value, whatever is in it.
func (s *Scanner) Value() []byte {
	s.Next()
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
		case ',', ':', ' ', '\t', '\r', '\n':
			s.at++
		default:
			s.plain()
		}
		if depth == 0 {
			break
		}
	}
	s.at = min(s.at, len(s.data))
	return s.data[start:s.at]
}

// text reads a string.
func (s *Scanner) text() {
	for s.at++; s.at < len(s.data) && s.data[s.at] != '"'; s.at++ {
		if s.data[s.at] == '\\' {
			s.at++
		}
	}
	s.at++
}

// plain reads a number, true, false or null.
func (s *Scanner) plain() {
	for s.at++; s.at < len(s.data); s.at++ {
		switch s.data[s.at] {
		case ' ', '\t', '\r', '\n', ',', ':', ']', '}':
			return
		}
	}
}
