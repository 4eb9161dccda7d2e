// Command lab plays scenarios in the laboratory and prints what came of them: a
// timeline and the figures of a peer, or a table of any program that elects through
// a Lease, beside peers in the same laboratory.
//
//	go run ./cmd/lab -scenario kill
//	go run ./cmd/lab -scenario api-silent -peer client-go -timing 15s/10s/2s -n 5 -events runs.jsonl
//	go run ./cmd/lab -measure runs.jsonl -timing 15s/10s/2s
//	go run ./cmd/lab -program ./my-operator -args "--leader-elect" -lease default/my-operator -scenario node-death,kill -n 5
//	go run ./cmd/lab -list
//
// Exit codes: 0 for runs that were measured, whatever the figures; 1 for a run
// that failed or a laboratory that could not be built; 2 for a flag that cannot
// be used.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/holdfast-go/holdfast/benchmarks/contender"
	"github.com/holdfast-go/holdfast/benchmarks/event"
	"github.com/holdfast-go/holdfast/benchmarks/lab"
	"github.com/holdfast-go/holdfast/benchmarks/program"
	"github.com/holdfast-go/holdfast/benchmarks/scenario"
)

func main() {
	contender.Main()
	program.Main("lab", parse, command.action)
}

func (c command) action() program.Action {
	switch {
	case c.list:
		return program.Action{Run: func(_ context.Context, out io.Writer) error { return list(out) }}
	case c.measure != "":
		return program.Action{Run: func(_ context.Context, out io.Writer) error { return measure(out, c) }}
	}
	return program.Action{Enter: lab.Enter, Run: func(ctx context.Context, out io.Writer) error { return run(ctx, out, c) }}
}

// list prints the scenarios and peers there are.
func list(out io.Writer) error {
	for _, s := range scenario.All() {
		if _, err := fmt.Fprintf(out, "%-20s %s\n", s.Name, s.Text); err != nil {
			return err
		}
	}
	_, err := fmt.Fprintf(out, "peers: %v\n", contender.Peers())
	return err
}

// measure prints the figures of a stream that an earlier run has saved.
func measure(out io.Writer, c command) error {
	file, err := os.Open(c.measure)
	if err != nil {
		return fmt.Errorf("measure a saved stream: %w", err)
	}
	defer file.Close()
	events, err := event.Read(file)
	if err != nil {
		return fmt.Errorf("measure %s: %w", c.measure, err)
	}
	var all []scenario.Figures
	for i, r := range event.Runs(events) {
		figures, err := scenario.Measure(r, c.options.Timing.RetryPeriod)
		if err != nil {
			return fmt.Errorf("measure %s: run %d: %w", c.measure, i+1, err)
		}
		if err := printRun(out, i+1, r, figures); err != nil {
			return err
		}
		all = append(all, figures)
	}
	return printFigures(out, all)
}

// run starts a laboratory and plays what is to be played in it. What was measured
// before a run failed is still printed.
func run(ctx context.Context, out io.Writer, c command) (err error) {
	var saved *event.Writer
	if c.events != "" {
		file, err := os.Create(c.events)
		if err != nil {
			return fmt.Errorf("save the events: %w", err)
		}
		defer func() { err = errors.Join(err, file.Close()) }()
		saved = event.NewWriter(file)
	}
	l, err := lab.Start(ctx, lab.Options{Progress: os.Stderr, Keep: c.keep, Audit: c.options.Program != nil})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, l.Close()) }()
	stage, err := scenario.NewStage(ctx, l)
	if err != nil {
		return err
	}
	play := func(s scenario.Scenario, o scenario.Options) (scenario.Result, error) {
		result, err := stage.Run(ctx, s, o)
		return result, errors.Join(err, save(saved, result.Events))
	}
	if c.options.Program == nil {
		return playPeer(out, c, play)
	}
	if err := c.grant(ctx, stage); err != nil {
		return err
	}
	return playProgram(out, c, play)
}

// player plays a scenario once.
type player func(scenario.Scenario, scenario.Options) (scenario.Result, error)

// playPeer plays each scenario n times, and prints the timelines and the figures.
func playPeer(out io.Writer, c command, play player) error {
	for _, s := range c.scenarios {
		var all []scenario.Figures
		for i := range c.n {
			result, err := play(s, c.options)
			if err := errors.Join(err, printRun(out, i+1, result.Events, result.Figures)); err != nil {
				return errors.Join(printFigures(out, all), err)
			}
			all = append(all, result.Figures)
		}
		if err := printFigures(out, all); err != nil {
			return err
		}
	}
	return nil
}

func save(to *event.Writer, events []event.Event) error {
	if to == nil {
		return nil
	}
	for _, e := range events {
		if err := to.Write(e); err != nil {
			return err
		}
	}
	return nil
}
