package compare

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/holdfast-go/holdfast/benchmarks/scenario"
)

// progress is how far a comparison has come. Those that play share it.
type progress struct {
	Comparison
	begun time.Time

	mu      sync.Mutex
	done    map[string]bool // what is in the file, by key
	steps   []Step          // of the round that has begun, those that have not
	outcome Outcome
	err     error // of Write
}

// inapplicable writes the samples of what cannot be played.
func (p *progress) inapplicable() error {
	_, not := p.Cells()
	for _, i := range not {
		sample := i.Sample()
		if p.done[key(sample)] {
			continue
		}
		p.say("%v: %s", i.Cell, sample.Limit)
		if err := p.Write(sample); err != nil {
			return err
		}
	}
	return nil
}

// next returns the step to play next, unless the comparison is over.
func (p *progress) next(ctx context.Context) (Step, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for p.err == nil && p.outcome.Limit == "" {
		switch {
		case ctx.Err() != nil:
			p.outcome.Limit = "an interruption"
		case len(p.steps) == 0 && p.Rounds > 0 && p.outcome.Round == p.Rounds:
			p.outcome.Limit = fmt.Sprintf("the number of rounds, %d", p.Rounds)
		case len(p.steps) == 0:
			p.outcome.Round++
			p.steps = p.Round(p.Seed, p.outcome.Round)
		case p.done[key(p.steps[0].empty())]:
			p.steps = p.steps[1:]
		case p.For > 0 && time.Since(p.begun) >= p.For:
			p.outcome.Limit = fmt.Sprintf("time, %v", p.For)
		default:
			s := p.steps[0]
			p.steps = p.steps[1:]
			return s, true
		}
	}
	return Step{}, false
}

// take keeps what came of a step, unless ctx has ended it.
func (p *progress) take(ctx context.Context, s Step, r scenario.Result, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if err != nil && ctx.Err() != nil {
		p.outcome.Left++
		return
	}
	played, unknown := scenario.Find(s.Scenario)
	if unknown != nil {
		p.err = unknown
		return
	}
	p.outcome.Played++
	if err != nil {
		p.outcome.Failed++
	}
	sample := s.Sample(played, r, err)
	p.say("round %d: %v: %s", s.Round, s.Cell, summary(sample))
	if err := p.Write(sample); err != nil && p.err == nil {
		p.err = err
	}
}
