// Command shortest finds, in the laboratory and by bisection, the shortest
// lease that holds while one API server after another is silent: see package
// shortest for what a trial is.
//
//	go run ./cmd/shortest -peers holdfast,client-go -o shortest.jsonl
//	go run ./cmd/shortest -peers client-go -window 30s -silence 10s -pause 5s -together 1
//
// All peers are tried at the same time, each with several leases (-together), so
// with the flags as they are it takes some five trials of ten minutes.
//
// Each peer's sample is written when its search is over. A run that is ended
// early has samples of the others that say how far they came.
//
// Exit codes: 0 when every peer's lease was found, or found not to be there; 1
// for a laboratory or a file that fails; 2 for a flag that cannot be used.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/holdfast-go/holdfast/benchmarks/contender"
	"github.com/holdfast-go/holdfast/benchmarks/lab"
	"github.com/holdfast-go/holdfast/benchmarks/program"
	"github.com/holdfast-go/holdfast/benchmarks/result"
	"github.com/holdfast-go/holdfast/benchmarks/shortest"
)

func main() {
	contender.Main()
	program.Main("shortest", parse, func(c command) program.Action {
		return program.Action{Enter: lab.Enter, Run: func(ctx context.Context, out io.Writer) error { return run(ctx, out, c) }}
	})
}

// run searches for all peers at once.
func run(ctx context.Context, out io.Writer, c command) (err error) {
	l, err := lab.Start(ctx, lab.Options{Progress: os.Stderr})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, l.Close()) }()
	programs, err := l.Versions(ctx)
	if err != nil {
		return err
	}
	kept, err := result.Create(c.out, result.ThisRun(0, "", programs))
	if err != nil {
		return fmt.Errorf("-o: %w", err)
	}
	defer func() { err = errors.Join(err, kept.Close()) }()
	stage, err := shortest.NewStage(ctx, l)
	if err != nil {
		return err
	}
	return searchAll(ctx, c, out, stage.Try, func(s result.Sample) error {
		word := "the shortest lease that holds is " + s.Timing
		if s.Timing == "" {
			word = s.Failed + s.Limit
		}
		_, err := fmt.Fprintf(out, "%s: %s\n", s.Peer, word)
		return errors.Join(err, kept.Write(s))
	})
}
