// Command shortest finds, in the laboratory and by bisection, the shortest
// lease that holds while one API server after another is silent: see package
// shortest for what a trial is.
//
//	go run ./cmd/shortest -peer holdfast,client-go -o shortest.jsonl
//	go run ./cmd/shortest -peer client-go -window 30s -silence 10s -pause 5s
//
// With the flags as they are, a peer takes about an hour and a half: some nine
// trials of ten minutes, and less where leases are lost early.
//
// Exit codes: 0 when every peer's lease was found, or found not to be there; 1
// for a laboratory or a file that fails; 2 for a flag that cannot be used.
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

	"github.com/holdfast-go/holdfast/benchmarks/contender"
	"github.com/holdfast-go/holdfast/benchmarks/lab"
	"github.com/holdfast-go/holdfast/benchmarks/result"
	"github.com/holdfast-go/holdfast/benchmarks/shortest"
)

func main() {
	contender.Main()
	c, err := parse(os.Args[1:], os.Stderr)
	switch {
	case errors.Is(err, flag.ErrHelp):
		return
	case err != nil:
		fmt.Fprintln(os.Stderr, "shortest:", err)
		os.Exit(2)
	}
	lab.Enter()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err = run(ctx, os.Stdout, c)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "shortest:", err)
		os.Exit(1)
	}
}

// run searches for every peer, one after the other.
func run(ctx context.Context, out io.Writer, c command) (err error) {
	save := func(result.Sample) error { return nil }
	if c.out != "" {
		file, err := os.OpenFile(c.out, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o644)
		if err != nil {
			return fmt.Errorf("-o: %w", err)
		}
		defer func() { err = errors.Join(err, file.Close()) }()
		w, err := result.NewWriter(file, result.ThisRun(0, "", nil))
		if err != nil {
			return err
		}
		save = w.Write
	}
	l, err := lab.Start(ctx, lab.Options{Progress: os.Stderr})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, l.Close()) }()
	stage, err := shortest.NewStage(ctx, l)
	if err != nil {
		return err
	}
	for _, peer := range c.peers {
		options := c.options
		options.Peer = peer
		s := search{command: c, options: options, out: out, try: stage.Try}
		sample, err := s.run(ctx)
		if err = errors.Join(err, save(sample)); err != nil {
			return err
		}
		word := sample.Failed
		if word == "" {
			word = "the shortest lease that holds is " + sample.Timing
		}
		if _, err := fmt.Fprintf(out, "%s: %s\n", peer, word); err != nil {
			return err
		}
	}
	return nil
}
