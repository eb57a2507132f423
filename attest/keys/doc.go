// Package keys holds the signing keys of seals and statements: ECDSA on P-256
// with SHA-256, and Ed25519.
//
// Private keys are kept in cosign's form: a PEM block "ENCRYPTED SIGSTORE
// PRIVATE KEY" (or, from older releases, "ENCRYPTED COSIGN PRIVATE KEY") around
// JSON that names scrypt and nacl/secretbox, and PKCS #8 within. Public keys
// are one PEM block "PUBLIC KEY" with a SubjectPublicKeyInfo (RFC 5280,
// section 4.1.2.7). Both are interchangeable with cosign's own.
//
// Signatures are deterministic (RFC 6979; RFC 8032), so that one key and one
// message give one signature, and a sealed image can be reproduced.
//
// What a key signs stands elsewhere: package dsse.
package keys
