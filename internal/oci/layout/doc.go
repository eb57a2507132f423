// Package layout reads and writes OCI image layouts: directories with an
// oci-layout file, an index.json and blobs by digest (OCI image-spec 1.1,
// image-layout.md). It also reads them from tar archives.
//
// A layout may come from anyone. It is opened as a directory that no link leads
// out of, its index and manifests are bounded, and all that is read is checked
// against its digest in internal/oci/content. A layout is written aside and
// named when it is whole, so that an interrupted writing leaves none.
package layout
