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

func TestCoordinatedNeverLeadsWhereAnotherIsPreferred(t *testing.T) {
	coordinated := func(c *LeaderElectionConfig) { c.Coordinated = true }
	const s0 = time.Second // it was appointed a second ago
	appointed := func(m *memory) {
		m.edit(func(s *rl.Snapshot) { *s = held("a", "", time.Since(epoch)-s0, 15*time.Second) })
	}
	prefer := func(whom string) func(*rl.Snapshot) {
		return func(s *rl.Snapshot) { s.Record.PreferredHolder = whom }
	}
	t.Run("given up, it stays given up", func(t *testing.T) {
		within(t, func(t *testing.T) {
			m := newMemory()
			appointed(m)
			a := contend(t, m.lock("a"), coordinated, func(c *LeaderElectionConfig) { c.ContendAgain = true })
			sleep(5 * s)
			require.Len(t, a.runs(), 1)
			m.edit(prefer("b"))
			sleep(time.Minute)
			assert.Len(t, a.runs(), 1)
			assert.False(t, a.IsLeader())
		})
	})
	t.Run("preferred while the answer is lost", func(t *testing.T) {
		within(t, func(t *testing.T) {
			m := newMemory()
			appointed(m)
			lock := m.lock("a")
			lock.loseAnswers, lock.deaf = true, true
			a := contend(t, lock, coordinated)
			sleep(s)
			m.edit(prefer("b"))
			lock.with(func(l *memoryLock) { l.deaf = false })
			sleep(time.Minute)
			assert.Empty(t, a.runs())
		})
	})
	t.Run("preferred by what its claim is answered", func(t *testing.T) {
		within(t, func(t *testing.T) {
			m := newMemory()
			appointed(m)
			a := contend(t, preferring{m.lock("a")}, coordinated)
			sleep(time.Minute)
			assert.Empty(t, a.runs())
		})
	})
	t.Run("its time is over", func(t *testing.T) {
		within(t, func(t *testing.T) {
			m := newMemory()
			appointed(m)
			lock := &readOnlyLock{memoryLock: m.lock("a")}
			switched := &switchedLock{readOnlyLock: lock}
			a := contend(t, switched, coordinated)
			for range 10 {
				sleep(2 * s)
				m.edit(prefer("b"))
				sleep(ms)
				m.edit(prefer(""))
			}
			switched.open.Store(true)
			sleep(time.Minute)
			assert.Empty(t, a.runs())
		})
	})
}

// preferring is a lock whose API prefers another with each write.
type preferring struct{ *memoryLock }

func (l preferring) Write(ctx context.Context, base rl.Snapshot, next rl.Entry) (rl.Snapshot, error) {
	next.Record.PreferredHolder = "b"
	return l.memoryLock.Write(ctx, base, next)
}

// switchedLock may write once it is open.
type switchedLock struct {
	*readOnlyLock
	open atomic.Bool
}

func (l *switchedLock) Write(ctx context.Context, base rl.Snapshot, next rl.Entry) (rl.Snapshot, error) {
	if l.open.Load() {
		return l.memoryLock.Write(ctx, base, next)
	}
	return l.readOnlyLock.Write(ctx, base, next)
}
