package leaderelection

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestAReleaseWaitsForTheWorkAndIsTakenUpAtOnce(t *testing.T) {
	within(t, func(t *testing.T) {
		m := newMemory()
		a := contend(t, m.lock("a"), func(c *LeaderElectionConfig) { c.ReleaseOnCancel = true })
		a.takesToStop(3 * s)
		sleep(s)
		b := contend(t, m.lock("b"))
		sleep(5 * s)
		cancelled := time.Now()
		a.cancel()
		sleep(30 * s)
		run := a.runs()[0]
		assert.Equal(t, cancelled, run.cancelled, "the work is the first to know")
		assert.Equal(t, ReasonReleased, a.why(t).Reason)
		require.Len(t, b.runs(), 1)
		gap := b.runs()[0].from.Sub(run.to)
		assert.GreaterOrEqual(t, gap, time.Duration(0), "two leaders")
		assert.LessOrEqual(t, gap, soon)
		assert.False(t, a.stoppedAt().Before(run.to))
	})
}

func TestWorkThatTakesLongerThanTheLeaseToStopIsNotOvertaken(t *testing.T) {
	within(t, func(t *testing.T) {
		m := newMemory()
		a := contend(t, m.lock("a"), func(c *LeaderElectionConfig) { c.ReleaseOnCancel, c.StopTimeout = true, time.Minute })
		a.takesToStop(40 * s)
		sleep(s)
		b := contend(t, m.lock("b"))
		sleep(5 * s)
		a.cancel()
		sleep(time.Minute)
		require.Len(t, b.runs(), 1)
		assert.False(t, b.runs()[0].from.Before(a.runs()[0].to), "the lease is renewed while the work winds down")
	})
}

func TestALeaseIsNotReleasedWhileItsWorkWillNotStop(t *testing.T) {
	within(t, func(t *testing.T) {
		m := newMemory()
		a := contend(t, m.lock("a"), func(c *LeaderElectionConfig) { c.ReleaseOnCancel, c.StopTimeout = true, 5*s })
		a.takesToStop(-1)
		sleep(3 * s)
		a.cancel()
		cancelled := time.Now()
		sleep(10 * s)
		assert.Equal(t, 5*s, a.stoppedAt().Sub(cancelled))
		assert.Equal(t, "a", m.now().Record.HolderIdentity, "it runs out by itself")
		assert.ErrorContains(t, a.Term().Err(), "did not return within 5s")
		assert.NoError(t, a.Check(0), "until then, nobody can lead beside it")
		sleep(20 * s)
		assert.ErrorContains(t, a.Check(0), "still runs")
	})
}

// That is why the lease is not released, and no other reason for the end of the term.
func TestATermThatResignedEndedBecauseItResignedThoughItsWorkWillNotStop(t *testing.T) {
	within(t, func(t *testing.T) {
		a := contend(t, newMemory().lock("a"), func(c *LeaderElectionConfig) { c.StopTimeout = 5 * s })
		a.takesToStop(-1)
		sleep(3 * s)
		assert.ErrorContains(t, a.Resign(t.Context()), "did not return within 5s")
		assert.Equal(t, ReasonResigned, a.Term().ending().Reason)
	})
}

func TestWhoWaitsForAResignationNoLongerIsToldByAnErrorOfItsContext(t *testing.T) {
	within(t, func(t *testing.T) {
		a := contend(t, newMemory().lock("a"), func(c *LeaderElectionConfig) { c.StopTimeout = 5 * s })
		a.takesToStop(-1)
		sleep(3 * s)
		enough := errors.New("waited long enough")
		ctx, cancel := context.WithTimeoutCause(t.Context(), s, enough)
		defer cancel()
		err := a.Resign(ctx)
		assert.ErrorIs(t, err, context.DeadlineExceeded)
		assert.ErrorIs(t, err, enough)
	})
}

func TestARenewalUnderWayIsAnsweredBeforeTheRelease(t *testing.T) {
	within(t, func(t *testing.T) {
		m := newMemory()
		lock := m.lock("a")
		a := contend(t, lock, func(c *LeaderElectionConfig) { c.ReleaseOnCancel = true })
		sleep(5 * s)
		const late = 100 * time.Millisecond // less than a tenth of a retry period
		lock.with(func(l *memoryLock) { l.late = late })
		for written := len(m.states()); len(m.states()) == written; {
			sleep(time.Millisecond)
		}
		reads := lock.readCount()
		a.cancel()
		cancelled := time.Now()
		sleep(10 * s)
		assert.LessOrEqual(t, a.stoppedAt().Sub(cancelled), 2*late, "the rest of the renewal, and the release")
		assert.Empty(t, m.now().Record.HolderIdentity)
		assert.Equal(t, reads, lock.readCount(), "what the renewal wrote had to be read")
	})
}

func TestWithoutANetworkTheWorkIsStillCancelledAtOnce(t *testing.T) {
	within(t, func(t *testing.T) {
		m := newMemory()
		lock := m.lock("a")
		a := contend(t, lock, func(c *LeaderElectionConfig) { c.ReleaseOnCancel = true })
		sleep(5 * s)
		lock.with(func(l *memoryLock) { l.cut = true })
		a.cancel()
		cancelled := time.Now()
		sleep(30 * s)
		assert.Equal(t, cancelled, a.runs()[0].cancelled)
		assert.LessOrEqual(t, a.stoppedAt().Sub(cancelled), 2*s, "the release is tried for no longer than a retry period")
	})
}

func TestWithoutReleaseOnCancelRunReturnsAtOnceAndTheLeaseRunsOut(t *testing.T) {
	within(t, func(t *testing.T) {
		m := newMemory()
		a := contend(t, m.lock("a"))
		a.takesToStop(3 * s)
		sleep(s)
		a.cancel()
		cancelled := time.Now()
		sleep(10 * s)
		assert.Equal(t, cancelled, a.stoppedAt())
		assert.Equal(t, "a", m.now().Record.HolderIdentity)
	})
}

func TestResigningLetsAnotherLeadAndStaysACandidate(t *testing.T) {
	within(t, func(t *testing.T) {
		m := newMemory()
		a := contend(t, m.lock("a"))
		sleep(s)
		b := contend(t, m.lock("b"), func(c *LeaderElectionConfig) { c.ReleaseOnCancel = true })
		sleep(s)
		assert.ErrorIs(t, b.Resign(t.Context()), ErrNotLeader)
		require.NoError(t, a.Resign(t.Context()))
		sleep(soon)
		assert.Equal(t, ReasonResigned, a.why(t).Reason)
		assert.True(t, b.IsLeader())
		first, second := a.Term().FencingToken(), b.Term().FencingToken()
		assert.Less(t, first, second)
		b.cancel()
		sleep(s)
		assert.True(t, a.IsLeader(), "it contends again")
		assert.Len(t, a.runs(), 2)
	})
}

func TestALoneContenderThatResignsLeadsAgainAfterAWhile(t *testing.T) {
	within(t, func(t *testing.T) {
		m := newMemory()
		a := contend(t, m.lock("a"))
		sleep(s)
		require.NoError(t, a.Resign(t.Context()))
		sleep(4 * s)
		assert.False(t, a.IsLeader())
		sleep(s)
		assert.True(t, a.IsLeader())
	})
}

func TestWorkThatReturnsEarlyLeavesTheTermAsItIs(t *testing.T) {
	within(t, func(t *testing.T) {
		m := newMemory()
		a := contend(t, m.lock("a"), func(c *LeaderElectionConfig) {
			c.ReleaseOnCancel = true
			c.Callbacks.OnStartedLeading = func(context.Context) {}
		})
		sleep(time.Minute)
		assert.True(t, a.IsLeader())
		a.cancel()
		sleep(soon)
		assert.Empty(t, m.now().Record.HolderIdentity, "the release waits for nothing")
	})
}

func TestALeaseWonAsItsContextEndsIsReleased(t *testing.T) {
	for _, releases := range []bool{true, false} {
		within(t, func(t *testing.T) {
			m := newMemory()
			lock := m.lock("a")
			lock.with(func(l *memoryLock) { l.loseAnswers, l.deaf = true, true })
			a := contend(t, lock, func(c *LeaderElectionConfig) { c.ReleaseOnCancel = releases })
			sleep(s)
			require.Equal(t, "a", m.now().Record.HolderIdentity, "the claim was committed, and its answer lost")
			lock.with(func(l *memoryLock) { l.loseAnswers = false })
			a.cancel()
			sleep(3 * s)
			assert.Empty(t, a.runs(), "it never led")
			if releases {
				assert.Empty(t, m.now().Record.HolderIdentity)
			} else {
				assert.Equal(t, "a", m.now().Record.HolderIdentity, "it runs out")
			}
		})
	}
}
