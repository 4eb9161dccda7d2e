// Command cost measures, in the laboratory, what contenders cost while nothing
// happens, and how that grows: see package cost for the figures.
//
//	go run ./cmd/cost -o cost.jsonl
//	go run ./cmd/cost -peers holdfast -contenders 2,10 -leases "" -window 30s
//
// The smallest scales come first, and the peers one after the other at each, so
// that a run limited by -for is one of small scales and not of few peers.
//
// Exit codes: 0 when everything asked for was measured, failed or left out by
// -for, and written; 1 for a laboratory or a file that fails; 2 for a flag that
// cannot be used.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/holdfast-go/holdfast/benchmarks/contender"
	"github.com/holdfast-go/holdfast/benchmarks/cost"
	"github.com/holdfast-go/holdfast/benchmarks/lab"
	"github.com/holdfast-go/holdfast/benchmarks/program"
	"github.com/holdfast-go/holdfast/benchmarks/result"
)

func main() {
	cost.Main()
	contender.Main()
	program.Main("cost", parse, func(c command) program.Action {
		return program.Action{Enter: lab.Enter, Run: func(ctx context.Context, out io.Writer) error { return run(ctx, out, c) }}
	})
}

// run measures everything that c asks for and writes each sample at once.
func run(ctx context.Context, out io.Writer, c command) (err error) {
	begun := time.Now()
	l, err := lab.Start(ctx, lab.Options{Progress: os.Stderr})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, l.Close()) }()
	programs, err := l.Versions(ctx)
	if err != nil {
		return err
	}
	budget := ""
	if c.limit > 0 {
		budget = c.limit.String()
	}
	kept, err := result.Create(c.out, result.ThisRun(0, budget, programs))
	if err != nil {
		return fmt.Errorf("-o: %w", err)
	}
	defer func() { err = errors.Join(err, kept.Close()) }()
	stage, err := cost.NewStage(ctx, l)
	if err != nil {
		return err
	}
	if err := heading(out); err != nil {
		return err
	}
	tasks := plan(c)
	for i, t := range tasks {
		if c.limit > 0 && time.Since(begun) > c.limit {
			_, err := fmt.Fprintf(out, "limited to %v: %d of %d measurements are left out\n", c.limit, len(tasks)-i, len(tasks))
			return err
		}
		options := c.options
		options.Peer, options.Scale = t.peer, t.scale
		measure := stage.Rest
		if t.measure == result.Leases {
			measure = stage.Leases
		}
		sample, err := measure(ctx, options)
		if err = errors.Join(kept.Write(sample), row(out, sample), err); err != nil {
			return err
		}
	}
	return nil
}
