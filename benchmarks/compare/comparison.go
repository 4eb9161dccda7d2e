package compare

import (
	"context"
	"fmt"
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
	// Play plays a cell. Its error is a run that failed; what it has of the run
	// is kept.
	Play func(context.Context, Cell) (scenario.Result, error)
	// Write keeps a sample; its error ends the comparison.
	Write func(result.Sample) error
	// Say is told what is played next and what came of it; nil is silence.
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

// Run plays until a limit is reached or ctx is done, which is a limit too: the
// run that ctx has ended is not in the file.
func (c Comparison) Run(ctx context.Context) (Outcome, error) {
	if err := c.validate(); err != nil {
		return Outcome{}, err
	}
	done := map[string]bool{}
	for _, s := range c.Before {
		done[key(s)] = true
	}
	_, not := c.Cells()
	for _, i := range not {
		sample := i.Sample()
		if done[key(sample)] {
			continue
		}
		c.say("%v: %s", i.Cell, sample.Limit)
		if err := c.Write(sample); err != nil {
			return Outcome{}, err
		}
	}
	var o Outcome
	begun := time.Now()
	for n := 1; c.Rounds == 0 || n <= c.Rounds; n++ {
		steps := c.Round(c.Seed, n)
		o.Round = n
		for i, s := range steps {
			o.Left = len(steps) - i
			if done[key(s.empty())] {
				continue
			}
			if c.For > 0 && time.Since(begun) >= c.For {
				o.Limit = fmt.Sprintf("time, %v", c.For)
				return o, nil
			}
			ended, err := c.step(ctx, s, &o)
			if err != nil || ended {
				o.Limit = "an interruption"
				return o, err
			}
		}
		o.Left = 0
	}
	o.Limit = fmt.Sprintf("the number of rounds, %d", c.Rounds)
	return o, nil
}

// step plays one step and keeps it. It reports whether ctx has ended it.
func (c Comparison) step(ctx context.Context, s Step, o *Outcome) (ended bool, err error) {
	if ctx.Err() != nil {
		return true, nil
	}
	played, err := scenario.Find(s.Scenario)
	if err != nil {
		return false, err
	}
	r, err := c.Play(ctx, s.Cell)
	if err != nil && ctx.Err() != nil {
		return true, nil
	}
	o.Played++
	if err != nil {
		o.Failed++
	}
	sample := s.Sample(played, r, err)
	c.say("round %d: %v: %s", s.Round, s.Cell, summary(sample))
	return false, c.Write(sample)
}

func (c Comparison) validate() error {
	playable, _ := c.Cells()
	switch {
	case c.For < 0:
		return fmt.Errorf("compare: For = %v: must not be negative", c.For)
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
