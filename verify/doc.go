// Package verify decides whether what was asked for, or what runs, is within
// what was signed.
//
// [Decide] is the decision and is pure: no clock, no network, no file system;
// the same input gives the same bytes through every door. A door (the command
// line, the OCI runtime, the admission webhook, the live kernel) reads one
// native form into a harden.Reading, finds the signed boundary, and asks here.
// Doors live in packages beneath this one, and a door knows no other door.
package verify
