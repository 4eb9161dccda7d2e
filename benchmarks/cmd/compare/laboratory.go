package main

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/holdfast-go/holdfast/benchmarks/compare"
	"github.com/holdfast-go/holdfast/benchmarks/lab"
	"github.com/holdfast-go/holdfast/benchmarks/scenario"
)

// laboratory plays cells, all in one lab as long as nothing goes wrong. After a
// run that failed it begins with a new lab: what is left of the old one might
// fail the next run too.
type laboratory struct {
	lab   *lab.Lab
	stage *scenario.Stage
}

// open starts a lab if there is none.
func (l *laboratory) open(ctx context.Context) (err error) {
	if l.lab != nil {
		return nil
	}
	if l.lab, err = lab.Start(ctx, lab.Options{Progress: os.Stderr}); err != nil {
		l.lab = nil
		return err
	}
	if l.stage, err = scenario.NewStage(ctx, l.lab); err != nil {
		return errors.Join(err, l.close())
	}
	return nil
}

// play plays a cell.
func (l *laboratory) play(ctx context.Context, c compare.Cell) (scenario.Result, error) {
	played, err := scenario.Find(c.Scenario)
	if err != nil {
		return scenario.Result{}, err
	}
	if err := l.open(ctx); err != nil {
		return scenario.Result{}, fmt.Errorf("start the laboratory: %w", err)
	}
	r, err := l.stage.Run(ctx, played, scenario.Options{Peer: c.Peer, Timing: c.Timing})
	if err == nil && played.Takeover {
		r.Floor, err = l.stage.Floor(ctx)
	}
	if err != nil {
		err = errors.Join(err, l.close())
	}
	return r, err
}

// close ends the lab, if there is one.
func (l *laboratory) close() error {
	if l.lab == nil {
		return nil
	}
	err := l.lab.Close()
	l.lab, l.stage = nil, nil
	return err
}
