package leaderelection

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"k8s.io/klog/v2/ktesting"
	clocktesting "k8s.io/utils/clock/testing"

	rl "github.com/holdfast-go/holdfast/resourcelock"
)

// renewalOf returns the goal of an attempt to renew a term that began with the state it
// returns, at epoch by a clock that the test moves, and what it says.
func renewalOf(t *testing.T) (goal *renewGoal, began rl.Snapshot, clk *sleeper, says func() string) {
	clk = &sleeper{FakeClock: clocktesting.NewFakeClock(epoch), boot: epoch}
	l := leadershipOf(t, func(c *LeaderElectionConfig) { c.Clock = clk })
	record := claim("a", rl.Snapshot{}, 15*s, epoch, 0)
	began = stateOf(l.election.writes.add(record, 15*s, later(0, 0)))
	l.election.writes.settle(began)
	logger := ktesting.NewLogger(ktesting.NopTL{}, ktesting.NewConfig(ktesting.BufferLogs(true)))
	l.logger = logger
	of := l.newGoal(record)
	of.known = later(0, 0)
	return &of, began, clk, logger.GetSink().(ktesting.Underlier).GetBuffer().String
}

func TestWhatALeaderReadsSettlesItsRenewalOrEndsItsTerm(t *testing.T) {
	renewedAt := func(r *renewGoal, d time.Duration) rl.Snapshot {
		return stateOf(r.writes.add(renewal(r.own, r.own, 15*s, epoch.Add(d)), 15*s, later(d, 0)))
	}
	for name, test := range map[string]struct {
		state     func(r *renewGoal, began rl.Snapshot) rl.Snapshot
		after     time.Duration
		lost      Reason
		seen      bool
		settled   bool
		sent      time.Duration
		continues bool
	}{
		"its renewal":                    {state: func(r *renewGoal, _ rl.Snapshot) rl.Snapshot { return renewedAt(r, 2*s) }, settled: true, sent: 2 * s},
		"its claim: nothing has arrived": {state: func(_ *renewGoal, began rl.Snapshot) rl.Snapshot { return began }, continues: true},
		"a write that is forgotten": {state: func(r *renewGoal, _ rl.Snapshot) rl.Snapshot {
			state := renewedAt(r, 2*s)
			r.writes.disown()
			return state
		}, continues: true},
		"no Lease":                            {state: func(*renewGoal, rl.Snapshot) rl.Snapshot { return rl.Snapshot{} }, lost: ReasonLeaseDeleted, seen: true},
		"no Lease, a moment before its end":   {state: func(*renewGoal, rl.Snapshot) rl.Snapshot { return rl.Snapshot{} }, after: 15*s - 1, lost: ReasonLeaseDeleted, seen: true},
		"no Lease, when others may have led":  {state: func(*renewGoal, rl.Snapshot) rl.Snapshot { return rl.Snapshot{} }, after: 15 * s, lost: ReasonLeaseDeleted},
		"another holder":                      {state: func(*renewGoal, rl.Snapshot) rl.Snapshot { return heldBy("b", false) }, lost: ReasonTaken, seen: true},
		"another holder, after a long time":   {state: func(*renewGoal, rl.Snapshot) rl.Snapshot { return heldBy("b", false) }, after: time.Minute, lost: ReasonTaken, seen: true},
		"another process of its own identity": {state: func(*renewGoal, rl.Snapshot) rl.Snapshot { return heldBy("a", false) }, lost: ReasonSameIdentity, seen: true},
	} {
		r, began, clk, _ := renewalOf(t)
		clk.Step(test.after)
		got, over := r.read(test.state(r, began))
		assert.Equal(t, !test.continues, over, name)
		assert.Equal(t, test.settled, got.done && got.settled, name)
		if test.settled {
			assert.Equal(t, later(test.sent, 0), got.sent, name)
		}
		assert.Equal(t, test.lost != "", got.lost != nil, name)
		if got.lost != nil {
			assert.Equal(t, test.lost, got.lost.Reason, name)
		}
		assert.Equal(t, test.seen, got.seen, name)
	}
}

func TestARenewalThatIsNotConfirmedIsSaidOnceAndItsSuccessToo(t *testing.T) {
	r, _, _, says := renewalOf(t)
	r.logConfirmed(outcome{done: true})
	assert.Empty(t, says(), "nothing was said before")
	r.failed(errors.New("no answer"))
	r.failed(errors.New("no answer"))
	assert.Equal(t, 1, strings.Count(says(), "was not confirmed"))
	r.logConfirmed(outcome{})
	assert.NotContains(t, says(), "after all")
	r.logConfirmed(outcome{done: true})
	assert.Equal(t, 1, strings.Count(says(), "succeeded after all"))
}

func TestNoRenewalIsBegunWhenTheTermIsOver(t *testing.T) {
	for _, late := range []time.Duration{0, 1, time.Minute} {
		a := newAlarmed(t, true)
		a.renewals, a.stopRenewing = make(chan outcome, 1), func() {}
		a.clock.Step(12*s + late)
		a.renew()
		assert.False(t, a.renewing)
		require.NotNil(t, a.term.ending(), "%v", late)
		assert.Equal(t, ReasonRenewDeadline, a.term.ending().Reason)
	}
}

// The trace is told of a renewal that finds the lease lost once, as that.
func TestALostRenewalIsTracedAsOne(t *testing.T) {
	within(t, func(t *testing.T) {
		m := newMemory()
		var results []RenewalResult
		contend(t, m.lock("a"), func(c *LeaderElectionConfig) {
			c.Trace = &Trace{Renewal: func(result RenewalResult, _ time.Duration) { results = append(results, result) }}
		})
		sleep(3 * s)
		m.edit(takenBy("b"))
		sleep(2 * s)
		assert.Equal(t, []RenewalResult{RenewalConfirmed, RenewalLost}, results)
	})
}

// writing counts the writes that are tried.
type writing struct {
	*memoryLock
	writes atomic.Int32
}

func (l *writing) Write(ctx context.Context, base rl.Snapshot, next rl.Entry) (rl.Snapshot, error) {
	l.writes.Add(1)
	return l.memoryLock.Write(ctx, base, next)
}

// A renewal whose answer is on its way is waited for, so that the release follows on it.
func TestAReleaseWaitsAMomentForTheRenewalUnderWay(t *testing.T) {
	within(t, func(t *testing.T) {
		lock := &writing{memoryLock: newMemory().lock("a")}
		lock.late = 150 * ms
		a := contend(t, lock)
		sleep(2*s + 50*ms)
		require.True(t, a.IsLeader())
		before := lock.writes.Load()
		began := time.Now()
		require.NoError(t, a.Resign(t.Context()))
		assert.Equal(t, 250*ms, time.Since(began), "the rest of one answer, and one more")
		assert.Equal(t, before+1, lock.writes.Load(), "nothing is written in vain")
	})
}
