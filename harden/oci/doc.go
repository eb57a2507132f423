// Package oci is the native form of a boundary that an OCI runtime takes: the
// config.json of the runtime-spec.
//
// [Render] writes a whole configuration in which every facet has the boundary's
// own value or a tighter one. [Parse] reads any configuration back; what an
// absent member means is decided there, by what the runtimes do then. [Facets]
// lists what the form can express.
//
// What the form holds and no facet covers is named as foreign, and refuses: an
// unknown member, another platform's section, a mount over the sealed files.
// What a runtime adds by itself (default devices and their nodes, HOME) is not
// the configuration's and not judged here.
//
// The package does no I/O: links in the rootfs and the nature of a mount's
// source are asked of the caller, see [Options].
//
// Sources: runtime-spec config.md and config-linux.md; runc
// libcontainer/specconv; crun src/libcrun.
package oci
