package leaderelection

import (
	"context"
	"errors"
	"fmt"
	"math"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	rl "github.com/holdfast-go/holdfast/resourcelock"
)

func TestAClaimThatTheWatchShowsIsNotWaitedFor(t *testing.T) {
	within(t, func(t *testing.T) {
		m := newMemory()
		m.edit(func(state *rl.Snapshot) { *state = held("", "", 0, s) })
		lock := m.lock("a")
		lock.loseAnswers = true
		a := contend(t, lock)
		sleep(soon)
		assert.Len(t, a.runs(), 1, "the work begins while the call still waits")
		sleep(10 * s)
		lock.with(func(l *memoryLock) { l.loseAnswers = false })
		sleep(time.Minute)
		assert.Len(t, a.runs(), 1)
	})
}

func TestAClaimWhoseAnswerIsLostIsFoundByOneWhoPolls(t *testing.T) {
	within(t, func(t *testing.T) {
		m := newMemory()
		lock := m.lock("a")
		lock.loseAnswers = true
		lock.watchErr = apierrors.NewForbidden(leases, "it", errors.New("no watch for you"))
		a := contend(t, lock)
		sleep(2*s + soon)
		assert.Len(t, a.runs(), 1, "a retry period later")
	})
}

// landing is a lock whose writes arrive after a while, whether or not their
// caller still waits.
type landing struct {
	*memoryLock
	after time.Duration
	heeds bool // it returns when its context ends
}

func (l *landing) Write(ctx context.Context, base rl.Snapshot, next rl.Entry) (rl.Snapshot, error) {
	type answer struct {
		state rl.Snapshot
		err   error
	}
	answers := make(chan answer, 1)
	go func() {
		time.Sleep(l.after)
		state, err := l.commit(base, next)
		answers <- answer{state, err}
	}()
	ended := ctx.Done()
	if !l.heeds {
		ended = nil
	}
	select {
	case a := <-answers:
		return a.state, a.err
	case <-ended:
		return rl.Snapshot{}, ctx.Err()
	}
}

func TestALateClaimOfOneWhoHasGoneIsReleased(t *testing.T) {
	for _, after := range []time.Duration{100 * ms, 900 * ms, 1500 * ms} {
		for _, heeds := range []bool{true, false} {
			t.Run(fmt.Sprintf("after %v, heeds its context %v", after, heeds), func(t *testing.T) {
				within(t, func(t *testing.T) {
					m := newMemory()
					lock := &landing{memoryLock: m.lock("a"), after: after, heeds: heeds}
					lock.deaf = true
					a := contend(t, lock, func(c *LeaderElectionConfig) { c.ReleaseOnCancel = true })
					sleep(20*ms + 20*ms)
					a.cancel()
					began := time.Now()
					<-a.ended
					assert.LessOrEqual(t, time.Since(began), 2*s)
					sleep(2 * after) // whatever is still on its way has arrived, one write after another
					assert.Empty(t, a.runs())
					assert.Empty(t, m.now().Record.HolderIdentity, "the record is held by a dead contender")
					_, ours := a.LeaderElector.writes.sentAt(m.states()[0])
					assert.False(t, ours, "what is released is disowned")
				})
			})
		}
	}
}

func TestTransitionsSaturate(t *testing.T) {
	for before, want := range map[int]int{math.MaxInt32: math.MaxInt32, math.MaxInt32 - 1: math.MaxInt32, math.MaxInt64: math.MaxInt32, -7: 1, 0: 1, 41: 42} {
		base := held("x", "1", 0, s)
		base.Record.LeaderTransitions = before
		assert.Equal(t, want, claim("a", base, s, epoch, 0).LeaderTransitions)
	}
}

// A claim that failed keeps its candidate from watching for as long as it may be
// tried again, and not when another holds the lease since.
func TestAClaimThatFailedIsForgottenWhenAnotherHoldsTheLease(t *testing.T) {
	within(t, func(t *testing.T) {
		lock := newMemory().lock("a")
		cfg := config(lock)
		cfg.Callbacks = LeaderCallbacks{OnStartedLeading: func(context.Context) {}, OnStoppedLeading: func() {}}
		le, err := NewLeaderElector(cfg)
		require.NoError(t, err)
		w := le.newLeaseWatcher(new(allowance), func(rl.Snapshot) {})
		w.applyEvent(held("b", "1", 0, 15*s))
		w.claimFailed(errors.New("refused"))
		require.True(t, w.failing())
		labelled := held("b", "2", 0, 15*s)
		w.applyEvent(labelled)
		assert.True(t, w.failing(), "the same write")
		w.applyEvent(held("c", "3", s, 15*s))
		assert.False(t, w.failing())
	})
}

// editedAllTheTime is a lock on a Lease whose labels someone changes while each call
// is on its way.
type editedAllTheTime struct {
	*lateLock
	writes atomic.Int64
}

func (l *editedAllTheTime) Write(ctx context.Context, base rl.Snapshot, next rl.Entry) (rl.Snapshot, error) {
	l.writes.Add(1)
	l.edit(func(*rl.Snapshot) {})
	return l.lateLock.Write(ctx, base, next)
}

func TestALeaseWhoseLabelsChangeAllTheTimeIsNotClaimedWithoutAPause(t *testing.T) {
	within(t, func(t *testing.T) {
		m := newMemory()
		m.edit(func(state *rl.Snapshot) { *state = held("x", "", 0, 15*s) })
		lock := &editedAllTheTime{lateLock: &lateLock{memoryLock: m.lock("a"), late: 10 * ms}}
		contend(t, lock)
		sleep(75*s + ms)
		assert.Greater(t, lock.writes.Load(), int64(10), "it is tried")
		assert.LessOrEqual(t, lock.writes.Load(), int64(60), "once a second at most, in a minute")
	})
}
