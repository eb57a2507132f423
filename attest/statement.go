package attest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/immure-dev/immure/harden/canon"
	"github.com/immure-dev/immure/internal/strict"
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
	o.mu.Lock()
	defer o.mu.Unlock()
	if s, ok := o.recall(payload); ok {
		return s, nil
	}
	var s Statement
	err := canon.Decode(payload, &s)
	if err != nil {
		return Statement{}, explain(payload, err)
	}
	o.remember(s, payload)
	return s, nil
}

// explain says why a payload is no statement of this version.
func explain(payload []byte, err error) error {
	members, why := strict.Members(payload, "_type", "subject", "predicateType", "predicate")
	if why != nil {
		return &DecodeError{What: "signed statement", Err: why}
	}
	predicateType, why := strict.String(members, "predicateType")
	switch {
	case why != nil:
		return &DecodeError{What: "signed statement", Err: why}
	case predicateType == PredicateType:
		return &DecodeError{What: "signed statement", Err: err}
	case isOurs(predicateType):
		return &VersionError{PredicateType: predicateType}
	}
	return &TypeError{PredicateType: predicateType}
}

// What stands around a predicate and before the subject in a statement's one
// form.
var (
	beforePredicate = fmt.Appendf(nil, `{"_type":%q,"predicate":`, StatementType)
	beforeSubject   = fmt.Appendf(nil, `,"predicateType":%q,"subject":`, PredicateType)
)

// remember keeps the predicate of a decoded statement, with what stands before
// its subject in the payload.
func (o *Opener) remember(s Statement, payload []byte) {
	subject, err := canon.Encode(s.Subject)
	if err != nil {
		return
	}
	head := len(payload) - len(subject) - len("}")
	if head > 0 && bytes.HasPrefix(payload, beforePredicate) && bytes.HasSuffix(payload[:head], beforeSubject) {
		o.head, o.last = payload[:head], s.Predicate
	}
}

// recall makes a statement from the predicate decoded before, when this payload
// is the same, byte for byte, up to its subject, which is in its one form.
func (o *Opener) recall(payload []byte) (Statement, bool) {
	if o.head == nil || !bytes.HasPrefix(payload, o.head) {
		return Statement{}, false
	}
	rest := payload[len(o.head):]
	s := Statement{Type: StatementType, PredicateType: PredicateType, Predicate: o.last}
	if rest = bytes.TrimSuffix(rest, []byte("}")); json.Unmarshal(rest, &s.Subject) != nil || s.checkSubjects() != nil {
		return Statement{}, false // told in full by who decodes it
	}
	subject, err := canon.Encode(s.Subject)
	if err != nil || !bytes.Equal(subject, rest) || len(payload) != len(o.head)+len(subject)+len("}") {
		return Statement{}, false
	}
	return s, true
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
