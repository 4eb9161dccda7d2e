// Command matrix plays every fault in every role and mode in the laboratory and
// prints, as Markdown, what was measured and the bound that applies.
//
//	go run ./cmd/matrix
//	go run ./cmd/matrix -faults frozen,killed -roles leader,candidate -modes new-connections -v
//	go run ./cmd/matrix -subset -o matrix.md
//	go run ./cmd/matrix -list
//
// Exit codes: 0 when every cell was held; 1 when one was not, when a fault could
// not be played, or when the laboratory could not be built; 2 for a flag that
// cannot be used.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/holdfast-go/holdfast/benchmarks/event"
	"github.com/holdfast-go/holdfast/benchmarks/lab"
	"github.com/holdfast-go/holdfast/benchmarks/matrix"
	"github.com/holdfast-go/holdfast/benchmarks/program"
)

func main() {
	matrix.Main()
	program.Main("matrix", parse, command.action)
}

func (c command) action() program.Action {
	if c.list {
		return program.Action{Run: func(_ context.Context, out io.Writer) error { return list(out) }}
	}
	return program.Action{Enter: lab.Enter, Run: func(ctx context.Context, out io.Writer) error { return run(ctx, out, os.Stderr, c) }}
}

// list prints the faults and columns there are.
func list(out io.Writer) error {
	for _, f := range matrix.Faults() {
		if _, err := fmt.Fprintf(out, "%-24s %s\n", f.Name, f.Text); err != nil {
			return err
		}
	}
	_, err := fmt.Fprintf(out, "columns: %v\n", matrix.Columns())
	return err
}

// errNotHeld says that the matrix was played and is not as it should be.
var errNotHeld = errors.New("not every cell was held; see the table")

// run plays what c asks for. What was played before a fault that failed is
// still printed.
func run(ctx context.Context, out, progress io.Writer, c command) (err error) {
	l, err := lab.Start(ctx, lab.Options{Progress: progress, Keep: c.keep})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, l.Close()) }()
	stage, err := matrix.NewStage(ctx, l)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, stage.Close()) }()

	var results []matrix.Result
	var failed error
	for i, f := range c.faults {
		if len(c.columns[i]) == 0 {
			continue
		}
		result, err := stage.Play(ctx, f, c.columns[i], c.options)
		if c.verbose || err != nil || !matrix.Passed(result.Cells) {
			if err := event.Timeline(progress, result.Events, event.FaultTime(result.Events)); err != nil {
				return err
			}
		}
		if err != nil {
			failed = err
			break
		}
		if _, err := fmt.Fprintf(progress, "matrix: %s played in %v, held: %t\n", f.Name, result.Took, matrix.Passed(result.Cells)); err != nil {
			return err
		}
		results = append(results, result)
	}
	return errors.Join(write(out, c.output, results), failed, verdict(results))
}

func verdict(results []matrix.Result) error {
	var cells []matrix.Cell
	for _, r := range results {
		cells = append(cells, r.Cells...)
	}
	if !matrix.Passed(cells) {
		return errNotHeld
	}
	return nil
}

// write writes the table to out and, if it is named, to a file.
func write(out io.Writer, path string, results []matrix.Result) (err error) {
	if path != "" {
		file, err := os.Create(path)
		if err != nil {
			return fmt.Errorf("write the table: %w", err)
		}
		defer func() { err = errors.Join(err, file.Close()) }()
		out = io.MultiWriter(out, file)
	}
	return matrix.Table(out, results)
}
