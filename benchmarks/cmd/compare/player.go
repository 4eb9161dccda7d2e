package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/holdfast-go/holdfast/benchmarks/compare"
	"github.com/holdfast-go/holdfast/benchmarks/event"
	"github.com/holdfast-go/holdfast/benchmarks/lab"
	"github.com/holdfast-go/holdfast/benchmarks/program"
	"github.com/holdfast-go/holdfast/benchmarks/scenario"
)

// marker is the environment variable that turns this program into a player:
// one laboratory that plays the cells it reads, one after the other.
const marker = "HOLDFAST_COMPARE_PLAYER"

// greeting is a player's first line, when its laboratory stands.
type greeting struct {
	Programs map[string]string `json:"programs"`
}

// played is a player's line for each cell that it was given.
type played struct {
	Events []event.Event  `json:"events"`
	Floor  scenario.Floor `json:"floor"`
	Failed string         `json:"failed,omitempty"`
}

// playerMain returns at once in a program that is no player.
func playerMain() {
	if os.Getenv(marker) == "" {
		return
	}
	lab.Enter()
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	err := serve(ctx, os.Stdin, os.Stdout)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "compare: a laboratory:", err)
		os.Exit(program.ExitFailed)
	}
	os.Exit(program.ExitOK)
}

// serve plays until there is nothing more to read, or ctx is done.
func serve(ctx context.Context, in io.Reader, out io.Writer) (err error) {
	var l laboratory
	if err := l.open(ctx); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, l.close()) }()
	programs, err := l.lab.Versions(ctx)
	if err != nil {
		return err
	}
	lines := json.NewEncoder(out)
	if err := lines.Encode(greeting{Programs: programs}); err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	cells := make(chan compare.Cell)
	go func() {
		defer cancel() // whoever asked is gone
		for asked := json.NewDecoder(in); ; {
			var c compare.Cell
			if asked.Decode(&c) != nil {
				return
			}
			cells <- c
		}
	}()
	for {
		select {
		case c := <-cells:
			result, err := l.play(ctx, c)
			answer := played{Events: result.Events, Floor: result.Floor}
			if err != nil {
				answer.Failed = err.Error()
			}
			if err := lines.Encode(answer); err != nil {
				return err
			}
		case <-ctx.Done():
			return nil
		}
	}
}
