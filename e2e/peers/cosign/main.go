// Command cosign is the sigstore project's own program at the version pinned
// in go.mod. The end-to-end tests and the benchmarks run beside it.
package main

import (
	"fmt"
	"os"

	"github.com/sigstore/cosign/v2/cmd/cosign/cli"
)

func main() {
	if err := cli.New().Execute(); err != nil {
		fmt.Fprintln(os.Stderr, "error:", err)
		os.Exit(1)
	}
}
