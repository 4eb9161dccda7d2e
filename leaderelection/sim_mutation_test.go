package leaderelection

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"k8s.io/utils/clock"

	"github.com/holdfast-go/holdfast/internal/simulation"
)

// TestSimulationFindsBrokenLaws breaks one law of the world at a time, or one
// rule of the elector, and expects the judge to name the promise that this
// breaks. A judge who never finds anything proves nothing.
func TestSimulationFindsBrokenLaws(t *testing.T) {
	silenceLog(t)
	tests := map[string]struct {
		broken simulation.Break
		run    func(*simulation.Process)
		law    string
	}{
		"clocks beyond the tolerance":        {broken: simulation.Rates, law: "overlap"},
		"writes without a precondition":      {broken: simulation.Preconditions, law: "overlap"},
		"work that stops too late":           {broken: simulation.Stopping, law: "overlap"},
		"writes lost on a clear network":     {broken: simulation.Silence, law: "the lease is kept"},
		"a candidate that dawdles":           {run: dawdling, law: "prompt takeover"},
		"a term that ends late":              {run: lingering, law: "length of a term"},
		"work that is not told of a release": {run: releasing, law: "release order"},
		"tokens that do not grow":            {run: tokenless, law: "fencing"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			if test.run == nil {
				test.run = holdfast
			}
			found := map[string]int{}
			for seed := uint64(1); seed <= 200 && found[test.law] == 0; seed++ {
				options := simulation.Options{Seed: seed, Elections: electionsPerSeed, Run: test.run, Break: test.broken}
				if v := simulateOne(t, options).Violation; v != nil {
					found[v.Law]++
				}
			}
			assert.Positive(t, found[test.law], "found only %v", found)
		})
	}
}

// lingering hands the end of a term on to the work a little late.
func lingering(p *simulation.Process) {
	(&rig{work: func(p *simulation.Process, ctx context.Context, tenure simulation.Tenure) {
		late, cancel := context.WithCancelCause(context.Background())
		context.AfterFunc(ctx, func() {
			time.AfterFunc(time.Millisecond, func() { cancel(context.Cause(ctx)) })
		})
		p.Work(late, tenure)
	}}).run(p)
}

// dawdling runs an elector whose timers are late.
func dawdling(p *simulation.Process) {
	(&rig{clock: func(p *simulation.Process) clock.WithDelayedExecution {
		return lateClock{p.Clock(), 100 * time.Millisecond}
	}}).run(p)
}

// lateClock is a clock whose timers fire late.
type lateClock struct {
	clock.WithDelayedExecution
	by time.Duration
}

func (c lateClock) NewTimer(d time.Duration) clock.Timer {
	return c.WithDelayedExecution.NewTimer(d + c.by)
}

// releasing makes the elector believe that its work has returned at once.
func releasing(p *simulation.Process) {
	(&rig{work: func(p *simulation.Process, ctx context.Context, tenure simulation.Tenure) { go p.Work(ctx, tenure) }}).run(p)
}

// tokenless gives every term the same token.
func tokenless(p *simulation.Process) {
	(&rig{work: func(p *simulation.Process, ctx context.Context, tenure simulation.Tenure) {
		tenure.Token = "1"
		p.Work(ctx, tenure)
	}}).run(p)
}
