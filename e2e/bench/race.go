package main

import (
	"context"
	"fmt"
	"os"
	"time"
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
		fmt.Fprintf(os.Stderr, "\r%s … %d/%d ", contestants[0].name, turn+1, warmUps+b.turns)
	}
	fmt.Fprint(os.Stderr, "\r\x1b[K")
	return all, nil
}

func (b *bed) sample(ctx context.Context, c contestant) (sum sample, err error) {
	if err := ctx.Err(); err != nil {
		return sum, err
	}
	if c.work != nil {
		start := time.Now()
		err := c.work()
		sum.wall = time.Since(start)
		return sum, err
	}
	for _, step := range c.commands {
		s, _, err := b.run(ctx, step)
		if err != nil {
			return sum, err
		}
		sum.wall += s.wall
		sum.cpu += s.cpu
		sum.memory = max(sum.memory, s.memory)
	}
	return sum, nil
}

func wall(s sample) float64   { return s.wall.Seconds() * 1000 } // milliseconds
func cpu(s sample) float64    { return s.cpu.Seconds() * 1000 }  // milliseconds
func memory(s sample) float64 { return float64(s.memory) / 1e6 } // megabytes

// of are the values of one measure.
func (s series) of(measure func(sample) float64) []float64 {
	values := make([]float64, len(s.samples))
	for i, x := range s.samples {
		values[i] = measure(x)
	}
	return values
}
