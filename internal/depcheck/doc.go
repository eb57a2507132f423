// Package depcheck holds the tests of the house's import rules: imports run
// downwards only, and what is heavy stays in its one room.
package depcheck
