package attest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/immure-dev/immure/attest/internal/strict"
	"github.com/immure-dev/immure/harden"
)

// StatementType is of an in-toto Statement, version 1.
// Source: in-toto attestation spec v1, statement.md.
const StatementType = "https://in-toto.io/Statement/v1"

// The algorithms of a subject's digests that are known here. TreeDigest is of
// the flattened rootfs without the seal (docs/tree-digest.md).
const (
	SHA256     = "sha256"
	SHA512     = "sha512"
	TreeDigest = "immureTree1"
)

// digits is how many hexadecimal digits a known algorithm's digest has.
var digits = map[string]int{SHA256: 64, SHA512: 128, TreeDigest: 64}

const (
	maxSubjects = 64
	maxDigests  = 16
)

// A Statement binds a predicate to subjects.
type Statement struct {
	Type          string    `json:"_type"`
	Predicate     Predicate `json:"predicate"`
	PredicateType string    `json:"predicateType"`
	Subject       []Subject `json:"subject"`
}

// A Subject is what a statement is about.
type Subject struct {
	Digest Digests `json:"digest"`
	Name   string  `json:"name,omitempty"`
}

// Digests are lower-case hexadecimal digests of one thing by their algorithms.
type Digests map[string]string

// newStatement is the statement about one subject, in its one form.
func newStatement(p Predicate, digests Digests) (Statement, error) {
	s := Statement{Type: StatementType, Subject: []Subject{{Digest: digests}}, PredicateType: PredicateType, Predicate: p}
	return s, s.Check()
}

// Check reports the first thing that is missing or malformed.
func (s Statement) Check() error {
	switch {
	case s.Type != StatementType:
		return fmt.Errorf("_type is %q, want %q", s.Type, StatementType)
	case s.PredicateType != PredicateType:
		return fmt.Errorf("predicateType is %q, want %q", s.PredicateType, PredicateType)
	}
	if err := s.checkSubjects(); err != nil {
		return err
	}
	if err := s.Predicate.Check(); err != nil {
		return fmt.Errorf("predicate: %w", err)
	}
	return nil
}

func (s Statement) checkSubjects() error {
	switch {
	case len(s.Subject) == 0:
		return errors.New("statement has no subject")
	case len(s.Subject) > maxSubjects:
		return fmt.Errorf("statement has more than %d subjects", maxSubjects)
	}
	for i, sub := range s.Subject {
		if err := sub.check(); err != nil {
			return fmt.Errorf("subject %d: %w", i+1, err)
		}
	}
	return nil
}

func (s Subject) check() error {
	if len(s.Digest) == 0 || len(s.Digest) > maxDigests {
		return fmt.Errorf("%d digests, want 1 to %d", len(s.Digest), maxDigests)
	}
	for algorithm, value := range s.Digest {
		if n, known := digits[algorithm]; known && !isHex(value, n) {
			return fmt.Errorf("%s %q is not %d lower-case hexadecimal digits", algorithm, value, n)
		}
	}
	return nil
}

// decodeStatement reads a payload that a trusted key signed. It fails with a
// [VersionError], [TypeError] or [DecodeError].
func (o *Opener) decodeStatement(payload []byte) (Statement, error) {
	members, err := strict.Members(payload, "_type", "subject", "predicateType", "predicate")
	if err != nil {
		return Statement{}, &DecodeError{What: "signed statement", Err: err}
	}
	predicateType, err := strict.String(members, "predicateType")
	if err != nil {
		return Statement{}, &DecodeError{What: "signed statement", Err: err}
	}
	if predicateType != PredicateType {
		if isOurs(predicateType) {
			return Statement{}, &VersionError{PredicateType: predicateType}
		}
		return Statement{}, &TypeError{PredicateType: predicateType}
	}
	s, known := o.recall(members, payload)
	if !known {
		s = Statement{}
		if err := harden.DecodeCanonical(payload, &s); err != nil {
			return Statement{}, &DecodeError{What: "signed statement", Err: err}
		}
		o.raw, o.last = members["predicate"], s.Predicate
	}
	return s, nil
}

// recall makes a statement from the predicate decoded before, when this one
// has the same, byte for byte, and the rest is in its one form around it.
func (o *Opener) recall(members map[string]json.RawMessage, payload []byte) (Statement, bool) {
	if o.raw == nil || !bytes.Equal(o.raw, members["predicate"]) {
		return Statement{}, false
	}
	s := Statement{Type: StatementType, PredicateType: PredicateType, Predicate: o.last}
	if err := json.Unmarshal(members["subject"], &s.Subject); err != nil || s.checkSubjects() != nil {
		return Statement{}, false // told in full by who decodes it
	}
	subject, err := harden.Canonical(s.Subject)
	if err != nil {
		return Statement{}, false
	}
	form := fmt.Appendf(nil, `{"_type":%q,"predicate":%s,"predicateType":%q,"subject":%s}`, StatementType, o.raw, PredicateType, subject)
	return s, bytes.Equal(form, payload)
}

// isOurs reports whether the type is the boundary predicate in some version.
func isOurs(predicateType string) bool {
	stem := strings.TrimRight(PredicateType, "0123456789")
	version, ok := strings.CutPrefix(predicateType, stem)
	return ok && version != "" && strings.Trim(version, "0123456789") == ""
}

// about reports whether a subject has the wanted digest under the algorithm. A
// subject that has one of the digests of what was looked for and contradicts
// another is an error: whoever signed it meant two things by one name.
func (s Statement) about(algorithm string, of Digests) (bool, error) {
	want, ok := of[algorithm]
	if !ok {
		return false, fmt.Errorf("select statement: no %s digest to look for", algorithm)
	}
	found := slices.IndexFunc(s.Subject, func(sub Subject) bool { return sub.Digest[algorithm] == want })
	for i, sub := range s.Subject {
		var same, other string
		for name, value := range sub.Digest {
			switch known, ok := of[name]; {
			case ok && known == value:
				same = name
			case ok:
				other = name
			}
		}
		if same != "" && other != "" {
			return false, &DecodeError{What: "signed statement", Err: fmt.Errorf("subject %d has the %s of %s and another %s", i+1, same, short(want), other)}
		}
	}
	return found >= 0, nil
}

func short(digest string) string {
	if len(digest) > 12 {
		return digest[:12] + "…"
	}
	return digest
}
