// Package registry reads and writes images and what stands beside them in an
// OCI registry (OCI distribution-spec 1.1).
//
// A registry is not believed: what it answers is bounded here and checked
// against its digest in internal/oci/content. Plain HTTP is spoken to loopback
// addresses only, or where the caller says so; credentials are those of the
// user's container tools and go to no other host than the registry's own and
// the token service it names.
//
// The package links go-containerregistry's remote, and is the only one that
// does: nothing else in the house speaks to a registry.
package registry
