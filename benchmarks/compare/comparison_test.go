package compare

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/holdfast-go/holdfast/benchmarks/event"
	"github.com/holdfast-go/holdfast/benchmarks/result"
	"github.com/holdfast-go/holdfast/benchmarks/scenario"
)

func few() Selection {
	return Selection{Peers: []string{"client-go", "holdfast"}, Scenarios: []string{"kill", "api-silent"}, Timings: []scenario.Timing{scenario.Short}}
}

// record is a comparison whose runs take each as long as d.
func record(d time.Duration, o Comparison) (*Comparison, *[]result.Sample) {
	var samples []result.Sample
	o.Play = func(ctx context.Context, c Cell) (scenario.Result, error) {
		select {
		case <-time.After(d):
			return scenario.Result{Events: []event.Event{{Who: "scenario", What: event.Began}}}, nil
		case <-ctx.Done():
			return scenario.Result{}, ctx.Err()
		}
	}
	o.Write = func(s result.Sample) error {
		samples = append(samples, s)
		return nil
	}
	return &o, &samples
}

func TestTheTimeLimitFinishesTheRunThatHasBegun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begun := time.Now()
		c, samples := record(10*time.Second, Comparison{Selection: few(), For: 55 * time.Second})
		o, err := c.Run(t.Context())
		require.NoError(t, err)
		assert.Equal(t, time.Minute, time.Since(begun))
		assert.Len(t, *samples, 6)
		assert.Equal(t, Outcome{Played: 6, Round: 2, Left: 2, Limit: "time, 55s"}, o)
		assert.Equal(t, "6 runs, 0 of them failed; limited by time, 55s in round 2, of which 2 runs are left", o.String())
	})
}

func TestTheNumberOfRoundsIsALimit(t *testing.T) {
	c, samples := record(0, Comparison{Selection: few(), Rounds: 3})
	o, err := c.Run(t.Context())
	require.NoError(t, err)
	assert.Equal(t, Outcome{Played: 12, Round: 3, Limit: "the number of rounds, 3"}, o)
	assert.Equal(t, "12 runs, 0 of them failed; limited by the number of rounds, 3; 3 rounds are complete", o.String())
	require.Len(t, *samples, 12)
	for i, s := range *samples {
		assert.Equal(t, 1+i/4, s.Round)
		assert.Equal(t, s.Round == 1, s.Events != nil, "events of the first round only")
	}
}

func TestAnInterruptionLeavesOutTheRunItEnded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 25*time.Second)
		defer cancel()
		c, samples := record(10*time.Second, Comparison{Selection: few(), Rounds: 3})
		o, err := c.Run(ctx)
		require.NoError(t, err)
		assert.Len(t, *samples, 2)
		assert.Equal(t, Outcome{Played: 2, Round: 1, Left: 2, Limit: "an interruption"}, o)
	})
}

// Two laboratories take half the time, begin the same runs in the same order, and
// go on with the next round while the last run of one is still under way.
func TestSeveralLaboratoriesShareARound(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begun := time.Now()
		c, samples := record(10*time.Second, Comparison{Selection: few(), Seed: 7, Rounds: 3, AtOnce: 2})
		var order []Cell
		play := c.Play
		var mu sync.Mutex
		c.Play = func(ctx context.Context, cell Cell) (scenario.Result, error) {
			mu.Lock()
			order = append(order, cell)
			long := len(order) == 1
			mu.Unlock()
			if long {
				time.Sleep(25 * time.Second)
			}
			return play(ctx, cell)
		}
		o, err := c.Run(t.Context())
		require.NoError(t, err)
		assert.Equal(t, Outcome{Played: 12, Round: 3, Limit: "the number of rounds, 3"}, o)
		assert.Len(t, *samples, 12)
		assert.Equal(t, 75*time.Second, time.Since(begun), "(12 runs of 10s + 25s) / 2, and the odd one")
		var planned []Cell
		for n := range 3 {
			for _, s := range c.Round(7, n+1) {
				planned = append(planned, s.Cell)
			}
		}
		assert.ElementsMatch(t, planned, order)
		assert.ElementsMatch(t, planned[:2], order[:2])
	})
}

func TestAComparisonGoesOnWhereItWasEnded(t *testing.T) {
	s := few()
	s.Peers = append(s.Peers, "etcd")
	c, whole := record(0, Comparison{Selection: s, Seed: 7, Rounds: 2})
	_, err := c.Run(t.Context())
	require.NoError(t, err)
	for cut := range *whole {
		rest, samples := record(0, Comparison{Selection: s, Seed: 7, Rounds: 2, Before: (*whole)[:cut]})
		_, err = rest.Run(t.Context())
		require.NoError(t, err)
		assert.Equal(t, (*whole)[cut:], *samples, "after %d samples", cut)
	}
}

func TestARunThatFailsIsASampleAndTheNextIsPlayed(t *testing.T) {
	c, samples := record(0, Comparison{Selection: few(), Rounds: 2})
	plays := 0
	c.Play = func(context.Context, Cell) (scenario.Result, error) {
		plays++
		r := scenario.Result{Events: []event.Event{{Who: "scenario", What: event.Began}}}
		if plays == 5 {
			return r, errors.New("the host did not come up")
		}
		return r, nil
	}
	o, err := c.Run(t.Context())
	require.NoError(t, err)
	assert.Equal(t, 8, o.Played)
	assert.Equal(t, 1, o.Failed)
	failed := (*samples)[4]
	assert.Equal(t, "the host did not come up", failed.Failed)
	assert.Nil(t, failed.Figures)
	assert.NotEmpty(t, failed.Events, "the events of a run that failed are kept in every round")
}

func TestASampleThatCannotBeWrittenEndsTheComparison(t *testing.T) {
	c, _ := record(0, Comparison{Selection: few(), Rounds: 1})
	full := errors.New("disk full")
	c.Write = func(result.Sample) error { return full }
	_, err := c.Run(t.Context())
	assert.ErrorIs(t, err, full)
}

func TestALimitThatCannotBeUsedIsNamed(t *testing.T) {
	for says, change := range map[string]func(*Comparison){
		"neither":     func(c *Comparison) { c.Rounds = 0 },
		"For = -1s":   func(c *Comparison) { c.For = -time.Second },
		"AtOnce = -1": func(c *Comparison) { c.AtOnce = -1 },
		"Rounds = -1": func(c *Comparison) { c.Rounds = -1 },
		"api-silent":  func(c *Comparison) { c.Peers, c.Scenarios = []string{"etcd"}, []string{"api-silent"} },
	} {
		c, _ := record(0, Comparison{Selection: few(), Rounds: 1})
		change(c)
		_, err := c.Run(t.Context())
		assert.ErrorContains(t, err, says)
	}
}

func TestTheTableShowsMedians(t *testing.T) {
	var samples []result.Sample
	for i, v := range []float64{3, 1, 2, 9} {
		samples = append(samples, result.Sample{Measure: result.Failover, Peer: "holdfast", Case: "kill", Timing: "3s/2s/500ms", Round: i + 1, Figures: map[string]float64{"takeover_seconds": v}})
	}
	samples = append(samples,
		result.Sample{Measure: result.Failover, Peer: "holdfast", Case: "kill", Timing: "3s/2s/500ms", Round: 5, Failed: "x"},
		result.Sample{Measure: result.Failover, Peer: "etcd", Case: "api-silent", Timing: "3s/2s/500ms", Limit: NotApplicable + "no"})
	var out bytes.Buffer
	require.NoError(t, Table(&out, samples))
	assert.Regexp(t, `3s/2s/500ms +kill +holdfast +5 +1 +2 +- `, out.String())
	assert.NotContains(t, out.String(), "etcd")
	assert.Error(t, Table(failing{}, samples))
}

type failing struct{}

func (failing) Write([]byte) (int, error) { return 0, fmt.Errorf("closed") }
