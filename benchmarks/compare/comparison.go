package compare

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/holdfast-go/holdfast/benchmarks/result"
	"github.com/holdfast-go/holdfast/benchmarks/scenario"
)

// Comparison plays a selection until its limit.
type Comparison struct {
	Selection
	Seed uint64
	// For is when no further run is begun; one that has begun is finished. Zero
	// is no such limit. Rounds is the number of rounds, counted from 1, whatever
	// was played before; zero is no such limit. One of the two must be set.
	For    time.Duration
	Rounds int
	// Before is what an earlier run has left in the file; it is not played again.
	Before []result.Sample
	// AtOnce is how many cells are played at the same time, each in a laboratory
	// of its own; 0 means 1. They are begun in the order of the rounds.
	AtOnce int
	// Play plays a cell, and must be safe for AtOnce calls at a time. Its error is
	// a run that failed; what it has of the run is kept.
	Play func(context.Context, Cell) (scenario.Result, error)
	// Write keeps a sample; its error ends the comparison. It and Say are called
	// by one goroutine at a time.
	Write func(result.Sample) error
	// Say is told what came of each run; nil is silence.
	Say func(format string, args ...any)
}

// Outcome says how far a comparison came.
type Outcome struct {
	// Played counts the runs, Failed those of them that failed.
	Played, Failed int
	// Round is the last round that was begun, Left how many of its steps were not
	// played.
	Round, Left int
	// Limit says what ended the comparison.
	Limit string
}

// String is one sentence.
func (o Outcome) String() string {
	text := fmt.Sprintf("%d runs, %d of them failed; limited by %s", o.Played, o.Failed, o.Limit)
	if o.Left > 0 {
		return fmt.Sprintf("%s in round %d, of which %d runs are left", text, o.Round, o.Left)
	}
	return fmt.Sprintf("%s; %d rounds are complete", text, o.Round)
}

// Run plays until a limit is reached or ctx is done, which is a limit too: a
// run that ctx has ended is not in the file.
func (c Comparison) Run(ctx context.Context) (Outcome, error) {
	if err := c.validate(); err != nil {
		return Outcome{}, err
	}
	p := &progress{Comparison: c, done: map[string]bool{}}
	for _, s := range c.Before {
		p.done[key(s)] = true
	}
	if err := p.inapplicable(); err != nil {
		return Outcome{}, err
	}
	p.begun = time.Now()
	var labs sync.WaitGroup
	for range max(c.AtOnce, 1) {
		labs.Go(func() {
			for {
				s, ok := p.next(ctx)
				if !ok {
					return
				}
				r, err := c.Play(ctx, s.Cell)
				p.take(ctx, s, r, err)
			}
		})
	}
	labs.Wait()
	p.outcome.Left += len(p.steps)
	return p.outcome, p.err
}

func (c Comparison) validate() error {
	playable, _ := c.Cells()
	switch {
	case c.For < 0:
		return fmt.Errorf("compare: For = %v: must not be negative", c.For)
	case c.AtOnce < 0:
		return fmt.Errorf("compare: AtOnce = %d: must not be negative", c.AtOnce)
	case c.Rounds < 0:
		return fmt.Errorf("compare: Rounds = %d: must not be negative", c.Rounds)
	case c.For == 0 && c.Rounds == 0:
		return fmt.Errorf("compare: neither For nor Rounds is set: nothing would end it")
	case len(playable) == 0:
		return fmt.Errorf("compare: none of the peers %v can play any of the scenarios %v with the timings %v", c.Peers, c.Scenarios, c.Timings)
	}
	return nil
}

func (c Comparison) say(format string, args ...any) {
	if c.Say != nil {
		c.Say(format, args...)
	}
}

// key is what makes a sample the only one of its kind.
func key(s result.Sample) string {
	return fmt.Sprintf("%s\x00%s\x00%s\x00%d", s.Peer, s.Case, s.Timing, s.Round)
}
