// Package image reads images: from a registry, an OCI layout, or an archive of
// either OCI's or Docker's kind, and flattens one into a root file system.
//
// Every byte is checked against the digest that leads to it, from the reference
// to the layers, and bounded: in internal/oci, which reads registries and
// layouts for the whole house, and here for Docker's archives. What is chosen
// here is which image of several is meant. The package writes no image and
// judges no signature.
package image
