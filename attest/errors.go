package attest

import (
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"strings"

	"github.com/immure-dev/immure/attest/keys"
)

// An UntrustedError reports a signature by none of the trusted keys.
type UntrustedError struct {
	What    string // "seal"
	Hint    string // how the bundle names its key; anyone may have written it
	Trusted []keys.PublicKey
}

func (e *UntrustedError) Error() string {
	ids := make([]string, len(e.Trusted))
	for i, k := range e.Trusted {
		ids[i] = k.ID()
		if k.Hint() == e.Hint {
			return fmt.Sprintf("%s is not signed by a trusted key: it names the trusted key %s, whose signature it does not bear: it was changed or forged", e.What, k.ID())
		}
	}
	return fmt.Sprintf("%s is not signed by a trusted key: it names key %s, trusted is %s", e.What, hintID(e.Hint), strings.Join(ids, ", "))
}

// hintID turns a hint in cosign's style into a key's id, and quotes another.
func hintID(hint string) string {
	sum, err := base64.StdEncoding.Strict().DecodeString(hint)
	if err != nil || len(sum) != 32 {
		return fmt.Sprintf("%.80q", hint)
	}
	return "sha256:" + hex.EncodeToString(sum)
}

// A DecodeError reports something that cannot be understood. What was signed by
// a trusted key and cannot be understood refuses; it is never passed over.
type DecodeError struct {
	What string
	Err  error
}

func (e *DecodeError) Error() string { return fmt.Sprintf("read %s: %s", e.What, e.Err) }

func (e *DecodeError) Unwrap() error { return e.Err }

// A VersionError reports a boundary statement of a version this program does
// not know.
type VersionError struct{ PredicateType string }

func (e *VersionError) Error() string {
	return fmt.Sprintf("statement is of type %s, this program reads %s only: a newer immure is needed", e.PredicateType, PredicateType)
}

// A TypeError reports a signed statement of another predicate type.
type TypeError struct{ PredicateType string }

func (e *TypeError) Error() string {
	return fmt.Sprintf("statement is of type %q, want %q", e.PredicateType, PredicateType)
}

// A MissingError reports that no statement that counts was found.
type MissingError struct {
	Subject   string // "sha256:…"
	Untrusted int    // signed by no trusted key, or not readable as bundles
	OtherType int    // signed by a trusted key, of another predicate type
	Elsewhere int    // boundary statements signed by a trusted key for another subject
}

func (e *MissingError) Error() string {
	var found []string
	for _, n := range []struct {
		count int
		text  string
	}{
		{e.Untrusted, "not signed by a trusted key"},
		{e.OtherType, "of another predicate type"},
		{e.Elsewhere, "for another image"},
	} {
		if n.count > 0 {
			found = append(found, fmt.Sprintf("%d %s", n.count, n.text))
		}
	}
	msg := fmt.Sprintf("no boundary statement for %s by a trusted key", e.Subject)
	if len(found) == 0 {
		return msg + ": none was found"
	}
	return msg + ": found " + strings.Join(found, ", ")
}

// A DisagreeError reports two statements of one subject and epoch that say
// different things.
type DisagreeError struct {
	Subject string
	Epoch   int64
}

func (e *DisagreeError) Error() string {
	return fmt.Sprintf("two signed boundary statements for %s of epoch %d disagree: sign the right one again with a higher epoch", e.Subject, e.Epoch)
}
