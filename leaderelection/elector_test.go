package leaderelection

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	rl "github.com/holdfast-go/holdfast/resourcelock"
)

// close enough: a spread of claims and nothing else.
const soon = 25 * ms

func TestTheFirstContenderLeadsAtOnceAndRenewsEveryRetryPeriod(t *testing.T) {
	within(t, func(t *testing.T) {
		m := newMemory()
		a := contend(t, m.lock("a"))
		sleep(soon)
		require.True(t, a.IsLeader())
		assert.Equal(t, "a", a.GetLeader())
		sleep(10 * s)
		assert.Len(t, m.states(), 6, "one claim and a renewal every two seconds")
		assert.Equal(t, 15, m.now().Record.LeaseDurationSeconds)
		assert.Equal(t, []string{"a"}, a.sawLead())
	})
}

func TestATermEndsOnItsOwnTimerWhateverTheRequestsDo(t *testing.T) {
	within(t, func(t *testing.T) {
		m := newMemory()
		lock := m.lock("a")
		a := contend(t, lock)
		sleep(5 * s)
		renewed := m.now().Record.RenewTime.Time
		lock.with(func(l *memoryLock) { l.cut = true })
		sleep(30 * s)
		run := a.runs()[0]
		assert.Equal(t, 12*s, run.cancelled.Sub(renewed).Round(ms), "T after the last renewal was sent")
		assert.Equal(t, run.cancelled, a.stoppedAt(), "OnStoppedLeading does not wait for the network")
		assert.Equal(t, ReasonRenewDeadline, a.why(t).Reason)
		assert.ErrorIs(t, a.why(t), ErrNotLeader)
		assert.False(t, a.IsLeader())
	})
}

func TestACandidateTakesOverTheMomentTheLeaseEnds(t *testing.T) {
	within(t, func(t *testing.T) {
		m := newMemory()
		dead := m.lock("a")
		contend(t, dead)
		sleep(s)
		b := contend(t, m.lock("b"))
		sleep(10 * s)
		dead.with(func(l *memoryLock) { l.cut = true })
		ends := m.now().Record.RenewTime.Add(15 * s)
		sleep(30 * s)
		require.Len(t, b.runs(), 1)
		late := b.runs()[0].from.Sub(ends)
		assert.GreaterOrEqual(t, late, time.Duration(0))
		assert.LessOrEqual(t, late, soon)
		assert.Equal(t, []string{"a", "b"}, b.sawLead())
	})
}

func TestAStandbyWithAWatchAsksForNothingWhileTheLeaderRenews(t *testing.T) {
	within(t, func(t *testing.T) {
		m := newMemory()
		contend(t, m.lock("a"))
		sleep(s)
		standby := m.lock("b")
		contend(t, standby)
		sleep(10 * time.Minute)
		assert.LessOrEqual(t, standby.readCount(), 2)
	})
}

func TestAWatchThatFellSilentIsToldFromADeadLeader(t *testing.T) {
	within(t, func(t *testing.T) {
		m := newMemory()
		contend(t, m.lock("a"))
		sleep(s)
		deaf := m.lock("b")
		deaf.with(func(l *memoryLock) { l.deaf = true })
		b := contend(t, deaf)
		sleep(5 * time.Minute)
		assert.Empty(t, b.runs(), "the leader lives")
		deaf.with(func(l *memoryLock) { l.deaf = false })
		sleep(10 * s)
		before := deaf.readCount()
		sleep(5 * time.Minute)
		assert.LessOrEqual(t, deaf.readCount()-before, 2, "the watch was begun anew and is enough again")
	})
}

func TestACandidateThatMayNotWatchPollsAndStillTakesOverOnTime(t *testing.T) {
	within(t, func(t *testing.T) {
		m := newMemory()
		dead := m.lock("a")
		contend(t, dead)
		sleep(s)
		blind := m.lock("b")
		blind.watchErr = apierrors.NewForbidden(leases, "it", errors.New("no watch for you"))
		b := contend(t, blind)
		sleep(time.Minute)
		polls := blind.readCount()
		assert.Greater(t, polls, 10)
		assert.Less(t, polls, 40)
		dead.with(func(l *memoryLock) { l.cut = true })
		ends := m.now().Record.RenewTime.Add(15 * s)
		sleep(40 * s)
		require.Len(t, b.runs(), 1)
		late := b.runs()[0].from.Sub(ends)
		assert.GreaterOrEqual(t, late, time.Duration(0))
		assert.LessOrEqual(t, late, 5*s, "at most a poll (2 s × 2.2) later than seen")
	})
}

func TestWhatEndsATermIsSaid(t *testing.T) {
	for _, c := range []struct {
		name   string
		happen func(m *memory)
		reason Reason
		holder string
	}{
		{"taken by another", func(m *memory) {
			m.edit(func(s *rl.Snapshot) { s.Record.HolderIdentity = "b" })
		}, ReasonTaken, "b"},
		{"cleared by hand", func(m *memory) {
			m.edit(func(s *rl.Snapshot) { s.Record.HolderIdentity = "" })
		}, ReasonTaken, ""},
		{"deleted", (*memory).remove, ReasonLeaseDeleted, ""},
		{"a second process of that name", func(m *memory) {
			m.edit(func(s *rl.Snapshot) { s.Record.RenewTime = metav1.NewTime(s.Record.RenewTime.Add(s.Duration / 3)) })
		}, ReasonSameIdentity, "a"},
	} {
		t.Run(c.name, func(t *testing.T) {
			within(t, func(t *testing.T) {
				m := newMemory()
				lock := m.lock("a")
				a := contend(t, lock)
				sleep(3 * s)
				c.happen(m)
				sleep(2 * s)
				ended := a.why(t)
				assert.Equal(t, c.reason, ended.Reason)
				assert.Equal(t, c.holder, ended.Holder)
				assert.ErrorIs(t, a.Term().Err(), ErrNotLeader)
				assert.Equal(t, []string{"became leader", "stopped leading: " + string(c.reason)}, lock.recorded())
			})
		})
	}
}

func TestAnEditThatLeavesTheRecordAloneIsNeitherRenewalNorLoss(t *testing.T) {
	within(t, func(t *testing.T) {
		m := newMemory()
		a := contend(t, m.lock("a"))
		sleep(time.Second)
		b := contend(t, m.lock("b"))
		for range 20 {
			m.edit(func(*rl.Snapshot) {})
			sleep(1700 * ms)
		}
		assert.True(t, a.IsLeader())
		assert.Len(t, a.runs(), 1)
		assert.Empty(t, b.runs())
	})
}

func TestAProcessOfTheSameNameIsWaitedForLikeAnyOther(t *testing.T) {
	within(t, func(t *testing.T) {
		m := newMemory()
		first := contend(t, m.lock("a"))
		sleep(s)
		second := contend(t, m.lock("a"))
		sleep(time.Minute)
		assert.True(t, first.IsLeader())
		assert.Empty(t, second.runs())
	})
}

func TestContendAgainNeverRunsTheWorkTwiceAtOnce(t *testing.T) {
	within(t, func(t *testing.T) {
		m := newMemory()
		lock := m.lock("a")
		a := contend(t, lock, func(c *LeaderElectionConfig) { c.ContendAgain = true })
		a.takesToStop(20 * s)
		sleep(s)
		lock.with(func(l *memoryLock) { l.cut = true })
		sleep(20 * s)
		lock.with(func(l *memoryLock) { l.cut = false })
		sleep(30 * s)
		runs := a.runs()
		require.Len(t, runs, 2)
		assert.False(t, runs[1].from.Before(runs[0].to))
	})
}

func TestObserveTellsEveryChangeOfLeaderInOrder(t *testing.T) {
	within(t, func(t *testing.T) {
		m := newMemory()
		onlooker, err := NewLeaderElector(func() LeaderElectionConfig {
			c := config(m.lock("onlooker"))
			c.Callbacks = LeaderCallbacks{OnStartedLeading: func(context.Context) {}, OnStoppedLeading: func() {}}
			return c
		}())
		require.NoError(t, err)
		ctx, cancel := context.WithCancel(t.Context())
		leaders := onlooker.Observe(ctx)
		sleep(ms)
		release := func(c *LeaderElectionConfig) { c.ReleaseOnCancel = true }
		for _, id := range []string{"a", "b", "c"} {
			c := contend(t, m.lock(id), release)
			sleep(s)
			require.True(t, c.IsLeader())
			c.cancel()
			sleep(s)
		}
		var seen []string
		for len(seen) < 7 {
			seen = append(seen, (<-leaders).Holder)
		}
		assert.Equal(t, []string{"", "a", "", "b", "", "c", ""}, seen)
		cancel()
		_, open := <-leaders
		assert.False(t, open)
		assert.Empty(t, onlooker.runsOfItsOwn())
	})
}

func (le *LeaderElector) runsOfItsOwn() []string {
	if le.Term() != nil {
		return []string{"an onlooker led"}
	}
	return nil
}

func TestLeasesBelowAndBetweenSecondsAreKeptExactly(t *testing.T) {
	for _, of := range []timing{{500 * ms, 350 * ms, 100 * ms}, {900 * ms, 600 * ms, 200 * ms}, {1500 * ms, s, 300 * ms}} {
		t.Run(of.lease.String(), func(t *testing.T) {
			within(t, func(t *testing.T) {
				short := func(c *LeaderElectionConfig) {
					c.LeaseDuration, c.RenewDeadline, c.RetryPeriod = of.lease, of.deadline, of.retry
				}
				m := newMemory()
				dead := m.lock("a")
				a := contend(t, dead, short)
				sleep(s)
				b := contend(t, m.lock("b"), short)
				sleep(10 * s)
				require.Len(t, a.runs(), 1)
				assert.True(t, a.IsLeader())
				dead.with(func(l *memoryLock) { l.cut = true })
				renewed := m.now().Record.RenewTime.Time
				sleep(5 * s)
				assert.Equal(t, of.term(), a.runs()[0].cancelled.Sub(renewed).Round(ms))
				require.Len(t, b.runs(), 1)
				late := b.runs()[0].from.Sub(renewed.Add(of.lease))
				assert.GreaterOrEqual(t, late, -time.Microsecond, "the record is cut to microseconds")
				assert.LessOrEqual(t, late, soon)
			})
		})
	}
}

func TestManyCandidatesDoNotClaimAtTheSameMoment(t *testing.T) {
	within(t, func(t *testing.T) {
		m := newMemory()
		dead := m.lock("a")
		contend(t, dead)
		sleep(s)
		const candidates = 8
		at := make(chan time.Time, 10*candidates)
		for i := range candidates {
			contend(t, &claims{memoryLock: m.lock(string(rune('b' + i))), at: at})
		}
		sleep(5 * s)
		dead.with(func(l *memoryLock) { l.cut = true })
		sleep(30 * s)
		first := <-at
		require.NotZero(t, len(m.now().Record.HolderIdentity))
		together := 1
		for len(at) > 0 {
			if claimed := <-at; claimed.Equal(first) {
				together++
			}
		}
		assert.LessOrEqual(t, together, 1, "claims at the very same moment as the first")
	})
}

// claims notes when a lease is claimed, and lets nobody but the first succeed.
type claims struct {
	*memoryLock
	at chan<- time.Time
}

func (l *claims) Write(ctx context.Context, base rl.Snapshot, next rl.Entry) (rl.Snapshot, error) {
	if base.Record.HolderIdentity == "a" {
		l.at <- time.Now()
	}
	return l.memoryLock.Write(ctx, base, next)
}
