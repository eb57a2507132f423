package main

import (
	"encoding/json"
	"fmt"
	"io"
	"runtime/debug"

	"github.com/spf13/cobra"
)

func newRoot() *cobra.Command {
	root := &cobra.Command{
		Use:   "immure",
		Short: "Build, sign and run services inside the boundary that was signed",
		Long: `Immure builds a service into a minimal read-only image, bakes its boundary
(system calls, capabilities, mounts, limits, …) into it, signs both, and
refuses to run what is not within its signed boundary.

Exit status: 0 allowed or done, 1 refused, 2 could not decide or wrong use.`,
		Version:       version(),
		SilenceErrors: true,
		SilenceUsage:  true,
	}
	root.CompletionOptions.HiddenDefaultCmd = false
	root.SetVersionTemplate("immure {{.Version}}\n")
	root.AddCommand(
		newBuild(), newSeal(), newVerify(), newRun(), newInspect(), newDiff(), newRender(), newKeygen(),
	)
	return root
}

// version is of the module, as the build recorded it.
func version() string {
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" {
		return info.Main.Version
	}
	return "(devel)"
}

// printJSON writes v for machines, indented for the people who read it anyway.
func printJSON(w io.Writer, v any) error {
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return fmt.Errorf("write output: %w", err)
	}
	return nil
}
