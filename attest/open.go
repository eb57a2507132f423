package attest

import (
	"errors"
	"sync"

	"github.com/immure-dev/immure/attest/bundle"
	"github.com/immure-dev/immure/attest/keys"
)

// An Opener opens what trusted keys signed. It remembers the last predicate,
// for the statement beside an image and the seal inside it say the same: when
// both are opened at once, one waits for the other. It is safe for concurrent
// use.
type Opener struct {
	trusted []keys.PublicKey

	mu   sync.Mutex // guards what follows
	last Predicate
	head []byte // the payload that it was in, up to the subject
}

// NewOpener trusts the given keys, of which any one suffices. One that trusts
// none opens nothing.
func NewOpener(trusted []keys.PublicKey) *Opener { return &Opener{trusted: trusted} }

// OpenSeal returns what a seal says and the tree digest that it is about. It
// fails with an [UntrustedError] when no trusted key signed it, a [VersionError]
// when it needs a newer program, a [TypeError] when it is about something else,
// and a [DecodeError] when it is no seal.
func (o *Opener) OpenSeal(data []byte) (p Predicate, treeDigest string, err error) {
	b, err := bundle.Decode(data)
	if err != nil {
		return p, "", &DecodeError{What: "seal", Err: err}
	}
	s, err := o.open("seal", b)
	if err != nil {
		return p, "", err
	}
	treeDigest = s.Subject[0].Digest[TreeDigest]
	if len(s.Subject) != 1 || len(s.Subject[0].Digest) != 1 || s.Subject[0].Name != "" || treeDigest == "" {
		return p, "", &DecodeError{What: "seal", Err: errors.New("its subject is not one tree digest")}
	}
	return s.Predicate, treeDigest, nil
}

// Open returns the statement of a bundle beside an image. Its errors are those
// of OpenSeal.
func (o *Opener) Open(data []byte) (Statement, error) {
	b, err := bundle.DecodeEvidence(data)
	if err != nil {
		return Statement{}, &DecodeError{What: "bundle", Err: err}
	}
	return o.open("statement", b)
}

func (o *Opener) open(what string, b bundle.Bundle) (Statement, error) {
	if len(o.trusted) == 0 {
		return Statement{}, errors.New("no trusted key was named")
	}
	if len(b.Envelope.Verify(o.trusted)) == 0 {
		return Statement{}, &UntrustedError{What: what, Hint: b.Hint, Trusted: o.trusted}
	}
	return o.decodeStatement(b.Envelope.Payload)
}
