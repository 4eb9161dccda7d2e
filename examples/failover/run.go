package main

import (
	"context"
	"errors"
	"sync"
	"time"
)

// options are what a run is made of.
type options struct {
	timing
	scenarios []scenario
	// page is the address to serve the page on; empty: play the scenarios.
	page string
	// restart is how long after it exited a process is started again.
	restart time.Duration
	// patience is how long after the fault a scenario waits for a fleet.
	patience time.Duration
}

// play runs the scenarios. The next one starts when the one before has only
// fleets left that wait for something: a dead connection takes client-go 45 s,
// and there is no need to watch nothing. It returns when all have ended, with
// what kept them from being played; that ctx is done is no error.
func play(ctx context.Context, o options, j *journal) error {
	errs := make([]error, len(o.scenarios))
	var playing sync.WaitGroup
	for i, s := range o.scenarios {
		if ctx.Err() != nil {
			break
		}
		calm := make(chan struct{})
		playing.Go(func() { errs[i] = s.play(ctx, o, j, func() { close(calm) }) })
		select {
		case <-calm:
		case <-ctx.Done():
		}
		if i < len(o.scenarios)-1 {
			pause(ctx, o.timing.retry)
		}
	}
	playing.Wait()
	return errors.Join(errs...)
}

// results computes the figures of every scenario and fleet.
func results(o options, j *journal, now time.Time) []figures {
	var all []figures
	for _, s := range o.scenarios {
		for _, f := range fleets {
			events, _ := j.of(s.name, f.name)
			all = append(all, evaluate(s.name, f.name, events, now))
		}
	}
	return all
}
