// Command ko is the ko project's own program at the version pinned in go.mod.
// The benchmarks run beside it.
package main

import (
	"context"
	"os"
	"os/signal"

	"github.com/google/ko/pkg/commands"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := commands.New().ExecuteContext(ctx)
	stop()
	if err != nil {
		os.Exit(1)
	}
}
