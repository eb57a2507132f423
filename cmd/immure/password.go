package main

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/term"
)

// passwordVariable is cosign's, so that one setting serves both.
const passwordVariable = "COSIGN_PASSWORD"

// password opens a key: from the environment, else from a prompt on the
// terminal.
func password() ([]byte, error) {
	if p, ok := os.LookupEnv(passwordVariable); ok {
		return []byte(p), nil
	}
	return prompt("Password of the key: ")
}

// newPassword asks twice, so that a slip does not lock a key up for ever.
func newPassword() ([]byte, error) {
	if p, ok := os.LookupEnv(passwordVariable); ok {
		return []byte(p), nil
	}
	first, err := prompt("New password (empty for none): ")
	if err != nil {
		return nil, err
	}
	second, err := prompt("Again: ")
	if err != nil {
		return nil, err
	}
	if string(first) != string(second) {
		return nil, errors.New("the two passwords differ: nothing was written")
	}
	return first, nil
}

func prompt(text string) ([]byte, error) {
	fd := int(os.Stdin.Fd())
	if !term.IsTerminal(fd) {
		return nil, fmt.Errorf("no terminal to ask for a password: set %s (it may be empty)", passwordVariable)
	}
	fmt.Fprint(os.Stderr, text)
	defer fmt.Fprintln(os.Stderr)
	return term.ReadPassword(fd)
}
