// Command compare plays this library and its peers through the same faults in
// the same laboratory, in turn, and writes what it measured to a file:
//
//	go run ./cmd/compare -for 8m -seed 7 -o results.jsonl
//	go run ./cmd/compare -append -for 2h -o results.jsonl
//	go run ./cmd/compare -rounds 10 -peers client-go,holdfast -scenarios kill -timings 3s/2s/500ms
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
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/holdfast-go/holdfast/benchmarks/compare"
	"github.com/holdfast-go/holdfast/benchmarks/contender"
	"github.com/holdfast-go/holdfast/benchmarks/lab"
	"github.com/holdfast-go/holdfast/benchmarks/result"
)

func main() {
	contender.Main()
	c, err := parse(os.Args[1:], os.Stderr)
	switch {
	case errors.Is(err, flag.ErrHelp):
		return
	case err != nil:
		fmt.Fprintln(os.Stderr, "compare:", err)
		os.Exit(2)
	}
	lab.Enter()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err = run(ctx, os.Stdout, c)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "compare:", err)
		os.Exit(1)
	}
}

// run compares, and prints what was played, the medians of the whole file, and
// what the comparison was limited by.
func run(ctx context.Context, out io.Writer, c command) (err error) {
	var l laboratory
	if err := l.open(ctx); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, l.close()) }()
	programs, err := l.lab.Versions(ctx)
	if err != nil {
		return err
	}
	kept, err := c.open(result.ThisMachine(), result.TheseVersions(programs))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, kept.file.Close()) }()

	samples := kept.before
	outcome, err := compare.Comparison{
		Selection: c.Selection, Seed: kept.run.Seed, For: c.budget, Rounds: c.rounds, Before: kept.before, Play: l.play,
		Write: func(s result.Sample) error {
			samples = append(samples, s)
			return kept.writer.Write(s)
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
