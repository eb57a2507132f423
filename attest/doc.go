// Package attest says what is signed about a service and reads it back.
//
// A [Predicate] binds a service's name and epoch to its two boundaries. As a
// seal it travels inside the image and its subject is the tree digest; beside
// the image the same predicate is signed for the manifest's digest. Both are
// in-toto statements in DSSE envelopes in Sigstore bundles, and both have one
// form, byte for byte (RFC 8785).
//
// The signature is checked before the statement is looked at. What is not
// signed by a trusted key was written by anyone and is ignored where several
// are looked through; what is signed by one and cannot be understood refuses.
//
// The format is specified in docs/predicate-boundary-v1.md. What belongs
// elsewhere: keys (attest/keys), envelopes and bundles (attest/dsse,
// attest/bundle), statements beside an image (attest/evidence), the registries
// and layouts that keep them (internal/oci), the tree digest (attest/tree), and
// every decision on what may run (verify). The package does no I/O and knows no clock.
package attest
