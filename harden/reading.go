package harden

// A Reading is what a native form says of a boundary: a config.json, a pod, a
// running process.
type Reading struct {
	// Form names the form for people: "OCI configuration".
	Form string
	// Boundary states the facets that were read, and no others.
	Boundary Boundary
	// Facets are all that the form can express, in facet order. Absence has
	// been decided by the form's reader.
	Facets []string
	// Unread says why a facet that the form can express could not be read.
	Unread map[string]string
	// Foreign lists what the form holds and no facet covers; each refuses.
	Foreign []string
}
