// Command registry serves an empty in-memory OCI registry, with referrers, for
// scripts and for the peers' programs.
//
// It prints its address, "127.0.0.1:port", alone on the first line of standard
// output once it accepts connections, and serves until it is told to end by
// SIGINT or SIGTERM.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/immure-dev/immure/internal/testregistry"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "registry:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context) error {
	l, err := testregistry.Listen()
	if err != nil {
		return err
	}
	if _, err := fmt.Println(l.Addr()); err != nil {
		l.Close()
		return fmt.Errorf("print address: %w", err)
	}
	return testregistry.Serve(ctx, l, testregistry.Handler())
}
