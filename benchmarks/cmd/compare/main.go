// Command compare plays this library and its peers through the same faults in
// the same laboratory, in turn, and writes what it measured to a file:
//
//	go run ./cmd/compare -for 8m -seed 7 -o results.jsonl
//	go run ./cmd/compare -append -for 2h -labs 4 -o results.jsonl
//	go run ./cmd/compare -rounds 10 -peers client-go,holdfast -scenarios kill -timings 3s/2s/500ms
//
// Several laboratories (-labs) play at the same time what their flags and seed
// put in order: more runs in the same time, on a machine that is busier for all
// peers alike. A process can hold one laboratory, so each is a program of its own.
//
// Each sample is written at once, so that a comparison that is ended early, by
// its limit, by SIGINT or by SIGKILL, leaves a file that can be read and gone on
// with. A run that fails is a sample that says so, and the next one is played.
// Package compare says in which order, and what the figures mean.
//
// Exit codes: 0 for a comparison that reached its limit, or was interrupted,
// whatever the figures; 1 where the laboratory could not be built or a sample
// could not be written; 2 for a flag that cannot be used.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/holdfast-go/holdfast/benchmarks/compare"
	"github.com/holdfast-go/holdfast/benchmarks/contender"
	"github.com/holdfast-go/holdfast/benchmarks/program"
	"github.com/holdfast-go/holdfast/benchmarks/result"
)

func main() {
	contender.Main()
	playerMain()
	program.Main("compare", parse, func(c command) program.Action {
		return program.Action{Run: func(ctx context.Context, out io.Writer) error { return run(ctx, out, c) }}
	})
}

// run compares, and prints what was played, the medians of the whole file, and
// what the comparison was limited by.
func run(ctx context.Context, out io.Writer, c command) (err error) {
	e, err := assemble(ctx, c.labs)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, e.close()) }()
	kept, err := c.open(result.ThisMachine(), result.TheseVersions(e.programs))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, kept.Close()) }()

	samples := kept.before
	outcome, err := compare.Comparison{
		Selection: c.Selection, Seed: kept.run.Seed, For: c.budget, Rounds: c.rounds, Before: kept.before, AtOnce: c.labs, Play: e.play,
		Write: func(s result.Sample) error {
			samples = append(samples, s)
			return kept.Write(s)
		},
		Say: func(format string, args ...any) { fmt.Fprintf(out, format+"\n", args...) },
	}.Run(ctx)
	if err != nil {
		return err
	}
	if err := compare.Table(out, samples); err != nil {
		return err
	}
	_, err = fmt.Fprintf(out, "seed %d, %s: %v\n", kept.run.Seed, c.out, outcome)
	return err
}
