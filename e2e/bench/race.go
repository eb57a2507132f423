package main

import (
	"context"
	"fmt"
	"os"
	"time"

	"golang.org/x/term"
)

// warmUps are turns that do not count: they fill caches and stores.
const warmUps = 2

// A contestant takes part in a race. Its work is one or more commands, of which
// times add up and the largest memory counts; or a function of this process.
type contestant struct {
	name     string
	commands []command
	work     func() error
}

// A series is what one contestant took, in the order of the turns.
type series struct {
	contestant
	samples []sample
}

// race lets the contestants take turns. Each turn begins with another one, so
// that none is always the one that comes after a certain other.
func (b *bed) race(ctx context.Context, contestants ...contestant) ([]series, error) {
	all := make([]series, len(contestants))
	for i, c := range contestants {
		all[i].contestant = c
	}
	for turn := range warmUps + b.turns {
		for i := range all {
			s := &all[(turn+i)%len(all)]
			took, err := b.sample(ctx, s.contestant)
			if err != nil {
				return nil, err
			}
			if turn >= warmUps {
				s.samples = append(s.samples, took)
			}
		}
		b.progress("%s … %d/%d ", contestants[0].name, turn+1, warmUps+b.turns)
	}
	b.progress("")
	return all, nil
}

// progress replaces the last line of a terminal.
func (b *bed) progress(format string, args ...any) {
	if term.IsTerminal(int(os.Stderr.Fd())) {
		fmt.Fprintf(os.Stderr, "\r\x1b[K"+format, args...)
	}
}

func (b *bed) sample(ctx context.Context, c contestant) (sum sample, err error) {
	if err := ctx.Err(); err != nil {
		return sum, err
	}
	if c.work != nil {
		start := time.Now()
		err := c.work()
		sum.Wall = time.Since(start)
		return sum, err
	}
	for _, step := range c.commands {
		s, _, err := b.run(ctx, step)
		if err != nil {
			return sum, err
		}
		sum.Wall += s.Wall
		sum.CPU += s.CPU
		sum.Memory, sum.Floor = max(sum.Memory, s.Memory), max(sum.Floor, s.Floor)
	}
	return sum, nil
}

func wall(s sample) float64   { return s.Wall.Seconds() * 1000 } // milliseconds
func cpu(s sample) float64    { return s.CPU.Seconds() * 1000 }  // milliseconds
func memory(s sample) float64 { return float64(s.Memory) / 1e6 } // megabytes
func floor(s sample) float64  { return float64(s.Floor) / 1e6 }  // megabytes

// of are the values of one measure.
func (s series) of(measure func(sample) float64) []float64 {
	values := make([]float64, len(s.samples))
	for i, x := range s.samples {
		values[i] = measure(x)
	}
	return values
}
