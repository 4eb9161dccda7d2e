package leaderelection

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	rl "github.com/holdfast-go/holdfast/resourcelock"
)

func TestAWatchWhoseVersionIsTooOldBeginsAfresh(t *testing.T) {
	within(t, func(t *testing.T) {
		m := newMemory()
		m.edit(func(s *rl.Snapshot) { *s = held("x", "", 0, time.Hour) })
		lock := &expired{memoryLock: m.lock("a"), oldest: "101"}
		contend(t, lock)
		sleep(time.Minute)
		assert.LessOrEqual(t, lock.refused.Load(), int32(1), "it asks for the same version again")
	})
}

// expired is a lock that refuses to watch from a version.
type expired struct {
	*memoryLock
	oldest  string
	refused atomic.Int32
}

func (l *expired) Watch(ctx context.Context, from rl.Snapshot, seen func(rl.Snapshot)) error {
	if from.ResourceVersion == l.oldest {
		l.refused.Add(1)
		return apierrors.NewResourceExpired("too old resource version")
	}
	return l.memoryLock.Watch(ctx, from, seen)
}

func TestAStandbyOfAShorterRetryPeriodLearnsTheLeadersHeartbeat(t *testing.T) {
	within(t, func(t *testing.T) {
		m := newMemory()
		a := m.lock("a")
		contend(t, a, func(c *LeaderElectionConfig) {
			c.LeaseDuration, c.RenewDeadline, c.RetryPeriod = 60*s, 40*s, 10*s
		})
		sleep(s)
		standby := m.lock("b")
		b := contend(t, standby)
		sleep(time.Minute)
		before := standby.readCount()
		sleep(10 * time.Minute)
		assert.LessOrEqual(t, standby.readCount()-before, 2)
		a.with(func(l *memoryLock) { l.cut = true })
		ends := m.now().Record.RenewTime.Add(60 * s)
		sleep(90 * s)
		require.Len(t, b.runs(), 1)
		assert.WithinDuration(t, ends, b.runs()[0].from, soon)
	})
}

func TestAWatchForbiddenForAMomentIsUsedSoonAfter(t *testing.T) {
	within(t, func(t *testing.T) {
		m := newMemory()
		contend(t, m.lock("a"))
		sleep(s)
		standby := m.lock("b")
		standby.watchErr = apierrors.NewForbidden(leases, "it", errors.New("not yet"))
		contend(t, standby)
		sleep(10 * s)
		standby.with(func(l *memoryLock) { l.watchErr = nil })
		sleep(20 * s)
		before := standby.readCount()
		sleep(time.Minute)
		assert.LessOrEqual(t, standby.readCount()-before, 1, "it polls on")
	})
}

// endlessWatch is a lock whose watches tell nothing and never return, whatever
// their contexts, before end is closed.
type endlessWatch struct {
	*memoryLock
	end chan struct{}
}

func (l endlessWatch) Watch(context.Context, rl.Snapshot, func(rl.Snapshot)) error {
	<-l.end
	return nil
}

func TestWatchesThatDoNotReturnKeepNobodyFromTakingOver(t *testing.T) {
	within(t, func(t *testing.T) {
		m := newMemory()
		lock := endlessWatch{m.lock("b"), make(chan struct{})}
		defer close(lock.end)
		a := contend(t, m.lock("a"))
		sleep(s)
		b := contend(t, lock)
		sleep(5 * time.Minute)
		a.cancel()
		sleep(20 * s)
		assert.True(t, b.IsLeader())
	})
}
