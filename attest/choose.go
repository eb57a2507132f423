package attest

import (
	"bytes"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/hex"
	"errors"
	"reflect"

	"github.com/immure-dev/immure/attest/bundle"
	"github.com/immure-dev/immure/harden/canon"
)

// Manifest returns the digests of a manifest's bytes.
func Manifest(data []byte) Digests {
	a, b := sha256.Sum256(data), sha512.Sum512(data)
	return Digests{SHA256: hex.EncodeToString(a[:]), SHA512: hex.EncodeToString(b[:])}
}

// Verify returns the statement that counts for a manifest among bundles that
// were found beside it. Bundles that no trusted key signed are passed over, and
// so are statements of other predicate types; a boundary statement that a
// trusted key signed and that cannot be understood refuses. See [Select].
func (o *Opener) Verify(bundles [][]byte, manifest Digests) (Statement, error) {
	if len(o.trusted) == 0 {
		return Statement{}, errors.New("no trusted key was named")
	}
	var statements []Statement
	var missing MissingError
	for _, data := range bundles {
		b, err := bundle.DecodeEvidence(data)
		if err != nil {
			missing.Untrusted++
			continue
		}
		s, err := o.open("statement", b)
		var untrusted *UntrustedError
		var other *TypeError
		switch {
		case errors.As(err, &untrusted):
			missing.Untrusted++
		case errors.As(err, &other):
			missing.OtherType++
		case err != nil:
			return Statement{}, err
		default:
			statements = append(statements, s)
		}
	}
	s, err := Select(statements, SHA256, manifest)
	var none *MissingError
	if errors.As(err, &none) {
		none.Untrusted, none.OtherType = missing.Untrusted, missing.OtherType
	}
	return s, err
}

// Select returns, of statements signed by trusted keys, the one that counts for
// a subject: that of the highest epoch among those whose subject has the
// digest under the algorithm. It is pure.
//
// Every other digest of such a subject that is among those given must agree.
// Two statements of the highest epoch with different predicates are a
// [DisagreeError]; that no statement is about the subject is a [MissingError].
func Select(statements []Statement, algorithm string, of Digests) (Statement, error) {
	subject := algorithm + ":" + of[algorithm]
	var best []Statement // those of the highest epoch
	elsewhere := 0
	for _, s := range statements {
		ok, err := s.about(algorithm, of)
		switch {
		case err != nil:
			return Statement{}, err
		case !ok:
			elsewhere++
		case len(best) == 0 || s.Predicate.Epoch > best[0].Predicate.Epoch:
			best = []Statement{s}
		case s.Predicate.Epoch == best[0].Predicate.Epoch:
			best = append(best, s)
		}
	}
	if len(best) == 0 {
		return Statement{}, &MissingError{Subject: subject, Elsewhere: elsewhere}
	}
	for _, s := range best[1:] {
		same, err := best[0].Predicate.Equal(s.Predicate)
		if err != nil {
			return Statement{}, &DecodeError{What: "signed statement", Err: err}
		}
		if !same {
			return Statement{}, &DisagreeError{Subject: subject, Epoch: s.Predicate.Epoch}
		}
	}
	return best[0], nil
}

// Equal reports whether two predicates say the same: whether their canonical
// forms are the same bytes.
func (p Predicate) Equal(q Predicate) (bool, error) {
	if reflect.DeepEqual(p, q) {
		return true, nil
	}
	a, err := canon.Encode(p)
	if err != nil {
		return false, err
	}
	b, err := canon.Encode(q)
	if err != nil {
		return false, err
	}
	return bytes.Equal(a, b), nil
}
