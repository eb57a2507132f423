package main

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/immure-dev/immure/attest"
	"github.com/immure-dev/immure/harden"
	"github.com/immure-dev/immure/verify/image"
	"github.com/spf13/cobra"
)

func newInspect() *cobra.Command {
	var t trust
	var asJSON, files bool
	var why, facet string
	cmd := &cobra.Command{
		Use:   "inspect IMAGE",
		Short: "Show an image's outside, inside and boundary",
		Long: `Show what an image publishes to the outside, what it holds inside, and the
boundary between the two, with what nothing enforces.

--files lists every file, --why GRANT says where a grant came from.

` + imageHelp,
		Args: oneImage,
		RunE: func(cmd *cobra.Command, args []string) error {
			d, err := readDeclared(cmd.Context(), args[0], &t)
			if err != nil {
				return err
			}
			defer d.Close()
			if d.File {
				return fmt.Errorf("%s is a boundary, not an image: immure render --to boundary prints it", args[0])
			}
			v, err := newView(cmd, d)
			if err != nil {
				return err
			}
			out := cmd.OutOrStdout()
			switch {
			case asJSON:
				return printJSON(out, v)
			case files:
				return v.printFiles(out)
			case why != "":
				return v.printWhy(out, why)
			case facet != "":
				return v.printFacet(out, facet)
			}
			return v.print(out)
		},
	}
	t.flags(cmd)
	f := cmd.Flags()
	f.BoolVar(&asJSON, "json", false, "print for machines")
	f.BoolVar(&files, "files", false, "list every file in the image")
	f.StringVar(&why, "why", "", "say where this grant (a call, a path, a port, a capability) came from")
	f.StringVar(&facet, "facet", "", "show the whole of one facet")
	_ = cmd.RegisterFlagCompletionFunc("facet", cobra.FixedCompletions(harden.Facets(), cobra.ShellCompDirectiveNoFileComp))
	cmd.MarkFlagsMutuallyExclusive("json", "files", "why", "facet")
	return cmd
}

// A view is what inspect shows.
type view struct {
	Image    string            `json:"image"`
	Verified bool              `json:"verified"`
	Service  string            `json:"service"`
	Outside  outside           `json:"outside"`
	Inside   image.Inside      `json:"inside"`
	Boundary harden.Pair       `json:"boundary"`
	Signed   *attest.Predicate `json:"signed,omitempty"`
}

type outside struct {
	Listen  []string `json:"listen"`
	Connect []string `json:"connect"`
	Mounts  []string `json:"mounts"`
	Env     []string `json:"env"`
}

func newView(cmd *cobra.Command, d *declared) (*view, error) {
	inside, err := image.ReadInside(d.opened.Image)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", d.Name, err)
	}
	s := d.Pair.Service
	v := &view{
		Image: d.Name, Verified: d.Verdict != nil, Service: d.service(), Inside: *inside, Boundary: d.Pair,
		Outside: outside{
			Listen: s.Grants("network.listen"), Connect: s.Grants("network.connect"),
			Mounts: s.Grants("mounts"), Env: s.Grants("process.env"),
		},
	}
	if d.Verdict != nil {
		v.Signed = &d.Verdict.Predicate
		return v, nil
	}
	// What is not verified is shown as what anyone may have written.
	if p, err := declaredPredicate(cmd.Context(), d); err == nil {
		v.Signed = p
	}
	return v, nil
}

func (v *view) print(w io.Writer) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintf(t, "%s\n\n", v.Image)
	fmt.Fprintf(t, "OUTSIDE\n  serves\t%s\n  goes to\t%s\n  environment\t%s\n", list(v.Outside.Listen), list(v.Outside.Connect), list(v.Outside.Env))
	fmt.Fprintf(t, "\nINSIDE\n  service\t%s, %s\n  files\t%d, %s\n", v.Service, v.Boundary.Service.Text("process.args"), len(v.Inside.Files), size(v.Inside.Bytes))
	fmt.Fprintf(t, "\nBOUNDARY (where a request may be wider, the envelope follows; --facet NAME shows all)\n")
	for _, name := range harden.Facets() {
		service, envelope := brief(v.Boundary.Service, name), brief(v.Boundary.Envelope, name)
		fmt.Fprintf(t, "  %s\t%s\n", name, service)
		if v.Boundary.Service.Text(name) != v.Boundary.Envelope.Text(name) {
			fmt.Fprintf(t, "\t  envelope: %s\n", envelope)
		}
	}
	if v.Signed != nil {
		v.printSigned(t)
	}
	return t.Flush()
}

func (v *view) printSigned(w io.Writer) {
	p := v.Signed
	if !p.Launcher {
		fmt.Fprintf(w, "\nThe image has no launcher: the envelope is its only wall until a door judges it.\n")
	}
	if len(p.Unenforced) > 0 {
		fmt.Fprintf(w, "\nSTATED, NOT ENFORCED\n")
		last := ""
		for _, u := range p.Unenforced {
			if u.Facet != last {
				fmt.Fprintf(w, "  %s\t%s\n", u.Facet, u.By)
			}
			last = u.Facet
		}
	}
	if len(p.Waivers) > 0 {
		fmt.Fprintf(w, "\nWAIVERS\n")
		for _, x := range p.Waivers {
			fmt.Fprintf(w, "  %s %s\tuntil %s: %s\n", x.Facet, x.Grant, x.Expires, oneLine(x.Reason))
		}
	}
}

func (v *view) printFiles(w io.Writer) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, f := range v.Inside.Files {
		path := f.Path
		if f.Target != "" {
			path += " -> " + f.Target
		}
		fmt.Fprintf(t, "%04o\t%d:%d\t%d\t%s\t%s\n", f.Mode, f.UID, f.GID, f.Size, oneLine(path), oneLine(f.Why))
	}
	return t.Flush()
}

func (v *view) printWhy(w io.Writer, grant string) error {
	if v.Signed == nil {
		return fmt.Errorf("the image bears no statement that says where grants came from")
	}
	exactly := v.printOrigins(w, func(facet, g string) bool {
		return g == grant || facet == grant || strings.HasSuffix(g, " "+grant) || strings.HasPrefix(g, grant+" ")
	})
	if exactly || v.printOrigins(w, func(_, g string) bool { return strings.Contains(g, grant) }) {
		return nil
	}
	return fmt.Errorf("nothing grants %q", grant)
}

// printOrigins prints where the grants that match came from.
func (v *view) printOrigins(w io.Writer, match func(facet, grant string) bool) (found bool) {
	for _, one := range []struct {
		name string
		harden.Boundary
	}{{"service", v.Signed.Service}, {"envelope", v.Signed.Envelope}} {
		for _, facet := range harden.Facets() {
			for _, g := range one.Grants(facet) {
				if match(facet, g) {
					found = true
					from := cmp.Or(v.Signed.Why(one.name, facet, g), "nobody says where")
					fmt.Fprintf(w, "%s %s: %s from %s\n", one.name, facet, oneLine(g), from)
				}
			}
		}
	}
	return found
}

// printFacet prints the whole of one facet, one grant a line.
func (v *view) printFacet(w io.Writer, name string) error {
	if !slices.Contains(harden.Facets(), name) {
		return fmt.Errorf("--facet %s is none of: %s", name, strings.Join(harden.Facets(), ", "))
	}
	for _, one := range []struct {
		name string
		harden.Boundary
	}{{"service", v.Boundary.Service}, {"envelope", v.Boundary.Envelope}} {
		fmt.Fprintf(w, "%s %s\n", one.name, name)
		lines := one.Grants(name)
		if name == "syscalls" {
			lines = one.Syscalls.Lines()
		}
		for _, g := range lines {
			if _, err := fmt.Fprintf(w, "  %s\n", oneLine(g)); err != nil {
				return err
			}
		}
	}
	return nil
}

func list(items []string) string {
	if len(items) == 0 {
		return "nothing"
	}
	return oneLine(strings.Join(items, ", "))
}

// brief fits a facet into a table.
func brief(b harden.Boundary, name string) string {
	const most = 64
	text := oneLine(b.Text(name))
	if r := []rune(text); len(r) > most {
		return string(r[:most-1]) + "…"
	}
	return text
}

func size(n int64) string {
	if n < 1e6 {
		return fmt.Sprintf("%.1f kB", float64(n)/1000)
	}
	return fmt.Sprintf("%.1f MB", float64(n)/1e6)
}
