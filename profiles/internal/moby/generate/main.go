// Command generate writes Docker's default filter to the file named.
package main

import (
	"fmt"
	"os"

	"github.com/immure-dev/immure/profiles/internal/moby"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "generate:", err)
		os.Exit(1)
	}
}

func run() error {
	if len(os.Args) != 2 {
		return fmt.Errorf("name the file to write")
	}
	data, err := moby.Default()
	if err != nil {
		return err
	}
	return os.WriteFile(os.Args[1], data, 0o644)
}
