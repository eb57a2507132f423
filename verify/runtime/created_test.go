package runtime

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/immure-dev/immure/harden"
	"github.com/immure-dev/immure/harden/oci"
	"github.com/immure-dev/immure/verify"
	"github.com/immure-dev/immure/verify/observe"
)

// checked runs a container whose created state is judged by the boundary that
// another configuration states, and returns what it wrote.
func checked(t *testing.T, o Options, signed harden.Boundary) (string, error) {
	t.Helper()
	o.Check = func(_ context.Context, pid int) error {
		s, err := observe.ReadStatus(pid)
		if err != nil {
			return err
		}
		if d := verify.Decide(signed, s.Reading()); !d.Allowed {
			return &verify.RefusedError{Refusals: d.Refusals}
		}
		return nil
	}
	r, w := pipe(t)
	o.Stdout = w
	_, err := Run(t.Context(), o)
	w.Close()
	out := make([]byte, 1024)
	n, _ := r.Read(out)
	return string(out[:n]), err
}

// What runc made is read from the kernel and judged. Without the capability too
// many the same container runs, so that nothing else refuses it.
func TestACreatedContainerWithACapabilityMoreIsKilled(t *testing.T) {
	for _, set := range []string{"", "bounding", "inheritable", "permitted", "effective"} {
		t.Run("set="+set, func(t *testing.T) {
			o := sandbox(t, "wider", "env")
			reading, err := oci.Parse(o.Config, oci.Options{})
			if err != nil {
				t.Fatal(err)
			}
			o.Config = config(t, o.Rootfs, o.ID, func(c map[string]any) {
				process := c["process"].(map[string]any)
				process["args"] = []string{"/service", "env"}
				more := map[string]any{}
				// The kernel wants effective within permitted within bounding, and
				// inheritable within bounding.
				for _, name := range map[string][]string{
					"bounding": {"bounding"}, "inheritable": {"bounding", "inheritable"},
					"permitted": {"bounding", "permitted"}, "effective": {"bounding", "permitted", "effective"},
				}[set] {
					more[name] = []string{"CAP_NET_RAW"}
				}
				process["capabilities"] = more
			})
			out, err := checked(t, o, reading.Boundary)
			if set == "" {
				if err != nil || out == "" {
					t.Errorf("what was signed wrote %q, %v", out, err)
				}
				return
			}
			var refused *verify.RefusedError
			if !errors.As(err, &refused) || !strings.Contains(err.Error(), "CAP_NET_RAW") {
				t.Fatalf("got %v, want a refusal that names the capability", err)
			}
			found := false
			for _, r := range refused.Refusals {
				found = found || r.Facet == "capabilities."+set
			}
			if !found || out != "" {
				t.Errorf("refusals %v, wrote %q, want capabilities.%s before any code ran", refused.Refusals, out, set)
			}
		})
	}
}
