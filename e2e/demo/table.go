package main

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"text/tabwriter"
	"time"

	"github.com/opencontainers/runtime-spec/specs-go"

	"github.com/immure-dev/immure/harden/seccomp"
	"github.com/immure-dev/immure/profiles"
)

// table sums up.
func (d *demo) table(ctx context.Context) error {
	for name, f := range d.figures {
		n, err := d.calls(ctx, f.ref)
		if err != nil {
			return fmt.Errorf("count the system calls of %s: %w", name, err)
		}
		f.calls = n
	}
	d.chapter("what was reached")
	h, r := d.figures[hello], d.figures[redis]
	t := tabwriter.NewWriter(d.out, 0, 0, 3, ' ', 0)
	row := func(what string, of func(*figures) string, beside string) {
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\n", what, of(h), of(r), beside)
	}
	fmt.Fprintf(t, "\t%s\t%s\tbeside\n", hello, redis)
	row("files in the image", func(f *figures) string { return fmt.Sprint(f.files) }, "")
	row("size, uncompressed", func(f *figures) string { return megabytes(f.size) }, "")
	row("unminimised", func(f *figures) string {
		return fmt.Sprintf("%s, %d files", megabytes(f.unminimised), f.unminimisedFiles)
	}, "as go build leaves it; the packages and what they depend on")
	docker := len(profiles.DockerDefault().Allowed())
	row("system calls allowed", func(f *figures) string { return fmt.Sprint(f.calls) },
		fmt.Sprintf("Docker's default: %d (and their 32-bit forms)", docker))
	row("built, signed, pushed", func(f *figures) string { return seconds(f.build) }, "")
	row("built once more", func(f *figures) string { return seconds(f.rebuild) }, "")
	row("verified", func(f *figures) string { return seconds(f.verify) }, "")
	row("run, until it listens", func(f *figures) string { return seconds(f.start) }, "verified, unpacked and every file checked first")
	if err := t.Flush(); err != nil {
		return err
	}
	return d.refused()
}

// refused lists the attempts, by what refused them.
func (d *demo) refused() error {
	d.printf("\nrefused: %d of %d attempts\n", len(d.attempts), len(d.attempts))
	by := make(map[string][]string)
	var order []string
	for i, a := range d.attempts {
		if !slices.Contains(order, a.facet) {
			order = append(order, a.facet)
		}
		by[a.facet] = append(by[a.facet], fmt.Sprint(i+1))
	}
	t := tabwriter.NewWriter(d.out, 0, 0, 3, ' ', 0)
	for _, facet := range order {
		fmt.Fprintf(t, "  %s\t%s\n", facet, join(by[facet]))
	}
	return t.Flush()
}

func join(numbers []string) string {
	out := "attempt "
	for i, n := range numbers {
		if i > 0 {
			out += ", "
		}
		out += n
	}
	return out
}

// calls counts the names of the calls that a service may make, as its filter
// for a runtime says.
func (d *demo) calls(ctx context.Context, ref string) (int, error) {
	args := []string{"render", "--to", "seccomp", ref, "--key", "cosign.pub"}
	r, err := d.quietly(ctx, args...)
	if err := cmpStatus(r, err, args); err != nil {
		return 0, err
	}
	var filter specs.LinuxSeccomp
	if err := json.Unmarshal([]byte(r.stdout), &filter); err != nil {
		return 0, err
	}
	policy, err := seccomp.Parse(&filter)
	return len(policy.Allowed()), err
}

func megabytes(n int64) string { return fmt.Sprintf("%.1f MB", float64(n)/1e6) }

func seconds(t time.Duration) string { return fmt.Sprintf("%.2f s", t.Seconds()) }
