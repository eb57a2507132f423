// Package image reads images: from a registry, an OCI layout, or an archive of
// either OCI's or Docker's kind, and flattens one into a root file system.
//
// Every byte is checked against the digest that leads to it: reference,
// manifest, configuration, layers. What comes in is bounded in count and size.
// The package writes no image and judges no signature.
package image
