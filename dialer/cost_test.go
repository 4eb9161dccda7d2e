package dialer_test

import (
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"

	"github.com/holdfast-go/holdfast/dialer"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// What hedging adds to the load of an API, in virtual time: real requests of a
// real Transport over connections in memory.
func TestCostOfHedging(t *testing.T) {
	const hedge, ms = 50 * time.Millisecond, time.Millisecond
	quick, slow := logNormal(8*ms, 0.4), uniform(60*ms, 300*ms)
	for _, c := range []struct {
		name     string
		requests int
		network  *memory
		late     float64 // the share of answers that come later than the hedge, at least: the case is what it says
		most     float64 // the share of further requests
	}{
		{"healthy, 2 % of the answers later than the hedge", 10_000, &memory{latency: sometimes(0.02, slow, quick)}, 0.01, 0.05},
		{"every answer later than the hedge", 10_000, &memory{latency: slow}, 0.99, 0.20},
		{"half of the answers later than the hedge", 4000, &memory{latency: sometimes(0.5, slow, quick)}, 0.45, 0.20},
		{"a third of the answers later than the hedge", 4000, &memory{latency: sometimes(0.33, slow, quick)}, 0.30, 0.50},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c.network.rand = rand.New(rand.NewPCG(1, 2))
				rt := c.network.client(dialer.Budget{Answer: time.Second, Hedge: hedge})
				defer time.Sleep(time.Second) // the servers end what they are at
				defer rt.CloseIdleConnections()
				took, late := make([]time.Duration, 0, c.requests), 0.0
				for range c.requests {
					start := time.Now()
					require.NoError(t, put(t, rt))
					took = append(took, time.Since(start))
					if time.Since(start) >= hedge {
						late++
					}
				}
				stats := rt.Stats()
				added := float64(stats.Hedges+stats.Retries) / float64(stats.Requests)
				t.Logf("figure: %s: n=%d, hedging added %.2f %% requests, answers %s", c.name, stats.Requests, 100*added, spread(took))
				require.EqualValues(t, c.requests, stats.Requests)
				assert.LessOrEqual(t, added, c.most)
				assert.GreaterOrEqual(t, late/float64(c.requests), c.late, "the case is what it says")
			})
		})
	}
}

// Every connection answers once and is silent from then on, so that every
// request but the first meets a dead one. None of them may wait for a token.
func TestDeadConnectionsDoNotExhaustTheHedges(t *testing.T) {
	const requests, hedge, ms = 10_000, 50 * time.Millisecond, time.Millisecond
	synctest.Test(t, func(t *testing.T) {
		network := &memory{rand: rand.New(rand.NewPCG(1, 2)), answers: 1, latency: uniform(4*ms, 12*ms)}
		rt := network.client(dialer.Budget{Answer: time.Second, Hedge: hedge})
		defer rt.CloseIdleConnections()
		took := make([]time.Duration, 0, requests)
		for range requests {
			start := time.Now()
			require.NoError(t, put(t, rt))
			took = append(took, time.Since(start))
			require.Less(t, took[len(took)-1], 2*hedge, "after %d requests", len(took))
		}
		stats := rt.Stats()
		t.Logf("figure: every kept connection dead: n=%d, %d hedges, %d won, answers %s", stats.Requests, stats.Hedges, stats.HedgesWon, spread(took))
		assert.EqualValues(t, requests-1, stats.HedgesWon)
		rt.CloseIdleConnections()
		synctest.Wait()
		assert.EqualValues(t, requests-1, rt.Stats().Closed[dialer.LostHedge])
		assert.Zero(t, rt.Stats().Open)
	})
}
