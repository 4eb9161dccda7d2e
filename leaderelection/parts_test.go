package leaderelection

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"k8s.io/klog/v2"
	"k8s.io/utils/clock"

	rl "github.com/holdfast-go/holdfast/resourcelock"
)

// electionOf returns what the parts of a contender share, without an elector.
func electionOf(lock rl.Interface) *election {
	clk, of, allowance := timepiece{clock.RealClock{}}, timing{15 * s, 10 * s, 2 * s}, new(allowance)
	return &election{
		lock: newBoundedLock(lock, clk, allowance, of), timing: of, clock: clk, random: func() float64 { return 0 },
		callBound: callBound(lock, of), allowance: allowance, writes: newSentWrites(lock.Identity()),
		reports: reporter{clock: clk, lease: of.lease}, trace: newTracer(nil),
	}
}

// A candidate, a leader and a release need no elector: what they are given is all that
// they know.
func TestThePartsOfAnElectionStandAlone(t *testing.T) {
	within(t, func(t *testing.T) {
		m := newMemory()
		lock := m.lock("a")
		e := electionOf(lock)
		asks := &priority{clock: e.clock}
		c := newCandidacy(klog.Background(), e, candidateConfig{priority: asks, witnesses: &testifying{clock: e.clock}}, 0)
		won := c.campaign(t.Context())
		require.NotNil(t, won)
		assert.Equal(t, SuccessionNewLease, won.how)

		began := make(chan *Term, 1)
		terms := &tenure{clock: e.clock, lock: lock, do: func(ctx context.Context) {
			term, _ := TermFromContext(ctx)
			began <- term
			<-ctx.Done()
		}}
		ctx, cancel := context.WithCancel(t.Context())
		l := newLeadership(ctx, klog.Background(), e, terms, leaderConfig{
			releaseOnCancel: true, stopTimeout: s, priority: asks, clocks: func() *clockWatch { return nil }, slowPath: func() {},
		})
		time.AfterFunc(time.Minute, cancel)
		l.lead(won)
		assert.Same(t, terms.newest(), <-began)
		assert.Equal(t, ReasonReleased, l.term.ending().Reason)
		assert.Equal(t, "a", e.reports.lastHolder())
		assert.Greater(t, len(m.states()), 20, "it was renewed")
		l.finish(ctx)
		assert.Empty(t, e.reports.lastHolder())
		states := m.states()
		assert.Empty(t, states[len(states)-1].Record.HolderIdentity)
		synctest.Wait()
		assert.False(t, terms.working())
	})
}

func TestTheNewestTermIsThatOfContextsWithoutOne(t *testing.T) {
	terms, others := new(tenure), new(tenure)
	first, second := new(Term), new(Term)
	assert.Nil(t, terms.of(t.Context()))
	ctx, cancel := workContext(t.Context(), terms, first)
	defer cancel(nil)
	terms.begin(first)
	terms.begin(second)
	assert.Same(t, second, terms.newest())
	assert.Same(t, second, terms.of(t.Context()))
	assert.Same(t, first, terms.of(ctx))
	assert.Nil(t, others.of(ctx), "a context of another elector's work")
}
