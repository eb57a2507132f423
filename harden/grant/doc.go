// Package grant holds what the facets of a boundary are made of: a [Name], a
// [Pattern] of texts, an [Env] variable, the [Args] of a command line, a right
// on a path, a mount [Slot], a [Device], a network [Port] or [Endpoint], limits
// of a process.
//
// Each can be the element of an order.Set (it covers others, and two have a
// greatest common one) or is an order of its own. Standard library only, no I/O.
package grant
