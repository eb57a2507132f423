// Package harden describes what a service may do once it runs.
//
// Its one type is [Boundary], a canonical document of every limit that the
// kernel, the runtime or the launcher will enforce. Boundaries are ordered: a
// is within b when a permits nothing that b forbids. The rest of this
// repository renders a Boundary, reads one, signs one, or compares two.
//
// A signed boundary states every facet, and "anything goes" is the explicit
// value "any". A native form (an OCI config.json, a PodSpec, a live process)
// says which facets it can express; one that it can express but that could not
// be read is a refusal, never a pass. That is why the zero value of every facet
// means "not stated" and is within nothing.
//
// The order is a preorder: two boundaries within each other permit the same,
// though they may be written differently (another errno for a refused call).
//
// What belongs here: the facets, their orders, the canonical bytes. What does
// not: any native form (harden/oci, harden/docker, …), any named boundary
// (profiles), any I/O. The package imports the standard library and its own
// kinds of order only.
package harden
