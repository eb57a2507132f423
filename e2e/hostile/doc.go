// Package hostile attacks the built program.
//
// Each test crafts what an attacker could hand over, an image, a statement, a
// registry, a configuration, a store, and starts bin/immure on it as a user
// would: through an OCI layout, and through a registry where it makes a
// difference. What was judged must be refused with status 1, what could not be
// judged must end with status 2; never 0, never a panic, never without end.
//
// Faults of one package belong beside that package. Here only the whole is
// tried. The tests need root and runc, and fail without.
package hostile
