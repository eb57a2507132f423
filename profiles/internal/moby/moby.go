// Package moby resolves Docker's default seccomp profile from its own source,
// so that package profiles can hold the outcome as data and link none of it.
package moby

import (
	"fmt"

	"github.com/moby/profiles/seccomp"
	"github.com/opencontainers/runtime-spec/specs-go"

	"github.com/immure-dev/immure/harden/canon"
	form "github.com/immure-dev/immure/harden/seccomp"
)

// Default returns the canonical JSON of the default profile for a container
// without capabilities, on x86_64 and the kernel that this runs on, with a
// newline at the end.
func Default() ([]byte, error) {
	if native := form.Native(); native != "x86_64" {
		return nil, fmt.Errorf("resolve the default profile: it is wanted for x86_64, and this is %s", native)
	}
	spec := &specs.Spec{Process: &specs.Process{Capabilities: &specs.LinuxCapabilities{}}}
	resolved, err := seccomp.GetDefaultProfile(spec)
	if err != nil {
		return nil, fmt.Errorf("resolve the default profile: %w", err)
	}
	calls, err := form.Parse(resolved)
	if err != nil {
		return nil, err
	}
	data, err := canon.Encode(calls)
	return append(data, '\n'), err
}
