package leaderelection

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	rl "github.com/holdfast-go/holdfast/resourcelock"
)

func TestALeaderThatWasCutOffCountsFromItsLastRenewal(t *testing.T) {
	within(t, func(t *testing.T) {
		lock := newMemory().lock("a")
		a := contend(t, lock, func(c *LeaderElectionConfig) { c.ContendAgain = true })
		sleep(10*time.Hour + s)
		lock.with(func(l *memoryLock) { l.cut = true })
		sleep(13 * s)
		require.False(t, a.IsLeader())
		assert.Zero(t, a.Status().Leaderless, "its own lease has not run out")
		sleep(10 * s)
		leaderless := a.Status().Leaderless
		assert.GreaterOrEqual(t, leaderless, 23*s-15*s)
		assert.LessOrEqual(t, leaderless, 25*s-15*s)
		lock.with(func(l *memoryLock) { l.cut = false })
		sleep(20 * s)
		require.True(t, a.IsLeader())
		assert.Zero(t, a.Status().Leaderless)
	})
}

func TestALeaderlessTimeBeginsWithOnesOwnRelease(t *testing.T) {
	within(t, func(t *testing.T) {
		m := newMemory()
		a := contend(t, m.lock("a"))
		sleep(time.Hour)
		require.NoError(t, a.Resign(t.Context()))
		sleep(s)
		assert.Equal(t, Status{Leaderless: s}, a.Status(), "others go first for a moment")
		sleep(5 * s)
		assert.True(t, a.IsLeader())
	})
}

func TestWhoDoesNotContendSeesNoLackOfALeader(t *testing.T) {
	within(t, func(t *testing.T) {
		m := newMemory()
		a := contend(t, m.lock("a"), givesUp)
		sleep(s)
		a.cancel()
		sleep(time.Hour)
		assert.Zero(t, a.Status().Leaderless)
		m.edit(func(s *rl.Snapshot) { *s = held("other", "", time.Hour, time.Minute) })
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan struct{})
		go func() { defer close(ended); a.Run(ctx) }()
		sleep(30 * s)
		assert.Zero(t, a.Status().Leaderless, "in a second Run, what the first has seen is long gone")
		cancel()
		<-ended
	})
}

func TestCheckBelievesTheFastestClock(t *testing.T) {
	within(t, func(t *testing.T) {
		clk := suspending{began: time.Now(), asleep: new(atomic.Int64)}
		lock := newMemory().lock("a")
		a := contend(t, lock, func(c *LeaderElectionConfig) { c.Clock = clk })
		sleep(s)
		require.NoError(t, a.Check(0))
		assert.InDelta(t, 11*s, a.Status().Rest, float64(ms))
		clk.asleep.Store(int64(5 * s))
		assert.InDelta(t, 6*s, a.Status().Rest, float64(ms), "the rest is what is left by every clock")
		assert.NoError(t, a.Check(0))

		lock.with(func(l *memoryLock) { l.cut = true })
		clk.asleep.Store(int64(time.Minute))
		assert.ErrorContains(t, a.Check(0), "still runs, 46s after the lease ended")
		assert.NoError(t, a.Check(time.Minute))
		lock.with(func(l *memoryLock) { l.cut = false })
		sleep(100 * ms)
		assert.NoError(t, a.Check(0), "the check has asked for a renewal, and the record was still ours")
	})
}

func TestAGuardedRequestIsGivenUpWithTheTermByEveryClock(t *testing.T) {
	within(t, func(t *testing.T) {
		clk := suspending{began: time.Now(), asleep: new(atomic.Int64)}
		a := contend(t, newMemory().lock("a"), func(c *LeaderElectionConfig) { c.Clock = clk })
		sleep(s)
		clk.asleep.Store(int64(5 * s))
		began := time.Now()
		_, err := guarded(t, a.LeaderElector, mute{}).RoundTrip(request(t, t.Context(), "PUT"))
		assert.ErrorIs(t, err, context.DeadlineExceeded)
		assert.Equal(t, 6*s, time.Since(began))
	})
}

// Health checks and tests of a user's may hold an elector that nobody has made.
func TestAnElectorThatNobodyHasMadeDoesNotLead(t *testing.T) {
	le := new(LeaderElector)
	assert.False(t, le.IsLeader())
	assert.Empty(t, le.GetLeader())
	assert.Nil(t, le.Term())
	assert.NoError(t, le.Check(0))
	health, ready := NewLeaderHealthzAdaptor(0), NewLeaderReadyzAdaptor()
	for range 2 {
		health.SetLeaderElection(le)
		ready.SetLeaderElection(le)
		assert.NoError(t, health.Check(nil))
		assert.NoError(t, ready.Check(nil))
		le = new(LeaderElector)
	}
}
