package main

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
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
	if err := d.figureTable(); err != nil {
		return err
	}
	return d.refused()
}

func (d *demo) figureTable() error {
	var text strings.Builder
	t := tabwriter.NewWriter(&text, 0, 0, 3, ' ', 0)
	row := func(what string, of func(*figures) string, beside string) {
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\n", what, of(d.figures[hello]), of(d.figures[redis]), beside)
	}
	fmt.Fprintf(t, "\t%s\t%s\t\n", hello, redis)
	row("image, uncompressed", func(f *figures) string { return sized(f.size, f.files) }, "")
	row("unminimised", func(f *figures) string { return sized(f.unminimised, f.unminimisedFiles) },
		"as go build leaves it; the packages with what they depend on")
	row("system calls allowed", func(f *figures) string { return fmt.Sprint(f.calls) },
		fmt.Sprintf("Docker's default: %d, 32-bit forms included", len(profiles.DockerDefault().Allowed())))
	row("built, signed, pushed", func(f *figures) string { return seconds(f.build) }, "redis: its packages fetched first")
	row("built once more", func(f *figures) string { return seconds(f.rebuild) }, "the same digest")
	row("verified", func(f *figures) string { return seconds(f.verify) }, "")
	row("run until published", func(f *figures) string { return seconds(f.start) }, "verified, unpacked, every file checked first")
	if err := t.Flush(); err != nil {
		return err
	}
	for l := range strings.Lines(text.String()) {
		d.printf("%s\n", strings.TrimRight(l, " \n"))
	}
	return nil
}

// refused lists the attempts, by what refused them.
func (d *demo) refused() error {
	d.printf("\nrefused: %d of %d attempts, for\n", len(d.attempts), len(d.attempts))
	by := make(map[string][]string)
	var order []string
	for i, a := range d.attempts {
		if !slices.Contains(order, a.facet) {
			order = append(order, a.facet)
		}
		by[a.facet] = append(by[a.facet], fmt.Sprintf("%d", i+1))
	}
	t := tabwriter.NewWriter(d.out, 0, 0, 3, ' ', 0)
	for _, facet := range order {
		fmt.Fprintf(t, "  %s\t%s\n", facet, strings.Join(by[facet], ", "))
	}
	return t.Flush()
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

func sized(bytes int64, files int) string {
	if files == 1 {
		return fmt.Sprintf("%.1f MB in 1 file", float64(bytes)/1e6)
	}
	return fmt.Sprintf("%.1f MB in %d files", float64(bytes)/1e6, files)
}

func seconds(t time.Duration) string { return fmt.Sprintf("%.2f s", t.Seconds()) }
