// Package apparmor writes a boundary as the text of an AppArmor profile, denied
// by default: what no line grants is refused by the kernel.
//
// The profile's name carries the digest of its body, so that one name is one
// content; the body refers to itself as @{profile_name} and never by name.
//
// Where AppArmor is coarser than a boundary the line is the wider one: its "w"
// both writes and creates, and ports and destinations are not distinguished.
// Those facets are held by other walls.
//
// Source: apparmor.d(5) of AppArmor 3.0, policy ABI 3.0.
package apparmor
