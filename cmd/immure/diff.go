package main

import (
	"fmt"
	"io"

	"github.com/immure-dev/immure/harden"
	"github.com/immure-dev/immure/verify"
	"github.com/spf13/cobra"
)

func newDiff() *cobra.Command {
	var t trust
	var asJSON, quiet bool
	cmd := &cobra.Command{
		Use:   "diff A B",
		Short: "Say what boundary B permits that A does not, and the reverse",
		Long: `Compare two boundaries, each an image's or a file's (immure render --to
boundary writes one). Of images both the service and the envelope are compared.
Exit status 1 when B is looser than A in any facet.

` + imageHelp,
		Args: cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			a, err := readDeclared(cmd.Context(), args[0], &t)
			if err != nil {
				return err
			}
			defer a.Close()
			b, err := readDeclared(cmd.Context(), args[1], &t)
			if err != nil {
				return err
			}
			defer b.Close()
			d := compare(a, b)
			switch {
			case asJSON:
				err = printJSON(cmd.OutOrStdout(), d)
			case !quiet:
				err = d.print(cmd.OutOrStdout())
			}
			if err != nil {
				return err
			}
			if loose := d.looser(); len(loose) > 0 {
				if !quiet {
					return exitError(statusRefused)
				}
				return &verify.RefusedError{Refusals: loose}
			}
			return nil
		},
	}
	t.flags(cmd)
	cmd.Flags().BoolVar(&asJSON, "json", false, "print for machines")
	cmd.Flags().BoolVarP(&quiet, "quiet", "q", false, "print nothing but what is looser, as refusals")
	return cmd
}

// A difference is what two boundaries of one kind permit beyond each other.
type difference struct {
	Boundary string          `json:"boundary"` // "service" or "envelope"
	Looser   []harden.Excess `json:"looser"`   // B beyond A
	Tighter  []harden.Excess `json:"tighter"`  // A beyond B
}

type differences []difference

func compare(a, b *declared) differences {
	one := func(kind string, x, y harden.Boundary) difference {
		looser, tighter := harden.Diff(x, y)
		return difference{Boundary: kind, Looser: append([]harden.Excess{}, looser...), Tighter: append([]harden.Excess{}, tighter...)}
	}
	d := differences{one("service", a.Pair.Service, b.Pair.Service)}
	if !a.File && !b.File {
		d = append(d, one("envelope", a.Pair.Envelope, b.Pair.Envelope))
	}
	return d
}

func (d differences) looser() []verify.Refusal {
	var all []verify.Refusal
	for _, one := range d {
		for _, e := range one.Looser {
			all = append(all, verify.Refusal{Facet: e.Facet, Found: e.Got, Signed: e.Limit, Mend: "the " + one.Boundary + " must not be looser"})
		}
	}
	return all
}

func (d differences) print(w io.Writer) error {
	same := true
	for _, one := range d {
		for _, e := range one.Looser {
			same = false
			if _, err := fmt.Fprintf(w, "+ %s %s: %s%s\n", one.Boundary, e.Facet, oneLine(e.Got), before("was", e.Limit)); err != nil {
				return err
			}
		}
		for _, e := range one.Tighter {
			same = false
			if _, err := fmt.Fprintf(w, "- %s %s: %s%s\n", one.Boundary, e.Facet, oneLine(e.Got), before("now", e.Limit)); err != nil {
				return err
			}
		}
	}
	if same {
		_, err := fmt.Fprintln(w, "no difference: each permits what the other does")
		return err
	}
	return nil
}

// before shows the other side where it is short; a list of everything else
// would hide what differs.
func before(word, text string) string {
	if len(text) > 40 {
		return ""
	}
	return fmt.Sprintf(" (%s %s)", word, oneLine(text))
}
