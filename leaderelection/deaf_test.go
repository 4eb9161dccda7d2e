package leaderelection

import (
	"context"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/holdfast-go/holdfast/internal/bounded"
	rl "github.com/holdfast-go/holdfast/resourcelock"
)

// deafLock hangs, whatever becomes of the context.
type deafLock struct {
	*memoryLock
	hang    atomic.Bool
	waiting atomic.Int32
	back    chan struct{}
}

func (l *deafLock) hangs() {
	if l.hang.Load() {
		l.waiting.Add(1)
		<-l.back
		l.waiting.Add(-1)
	}
}

func (l *deafLock) Read(ctx context.Context) (rl.Snapshot, error) {
	l.hangs()
	return l.memoryLock.Read(ctx)
}

func (l *deafLock) Write(ctx context.Context, base rl.Snapshot, next rl.Entry) (rl.Snapshot, error) {
	l.hangs()
	return l.memoryLock.Write(ctx, base, next)
}

func (l *deafLock) Watch(ctx context.Context, from rl.Snapshot, seen func(rl.Snapshot)) error {
	l.hangs()
	return l.memoryLock.Watch(ctx, from, seen)
}

func TestACandidateGoesOnThoughItsLockIsDeaf(t *testing.T) {
	for _, free := range []bool{true, false} {
		within(t, func(t *testing.T) {
			m := newMemory()
			if !free {
				m.edit(func(s *rl.Snapshot) { *s = held("x", "", 0, 1000*time.Hour) })
			}
			lock := &deafLock{memoryLock: m.lock("a"), back: make(chan struct{})}
			lock.hang.Store(true)
			done := make(chan struct{})
			said, _ := listen(t, lock, 5*time.Minute, func(c *LeaderElectionConfig) {
				c.ReleaseOnCancel = true
				c.Callbacks.OnStoppedLeading = func() { close(done) }
			})
			<-done
			assert.GreaterOrEqual(t, strings.Count(said, "Could not read the lease"), 4, "it says so")
			assert.LessOrEqual(t, lock.waiting.Load(), int32(bounded.Most))
			leaders := make(chan struct{})
			_, le := func() (string, *LeaderElector) { return listen(t, lock, 0) }()
			ctx, cancel := context.WithCancel(t.Context())
			go func() {
				defer close(leaders)
				for range le.Observe(ctx) { //nolint:revive // until it is closed
				}
			}()
			sleep(time.Minute)
			cancel()
			sleep(s)
			select {
			case <-leaders:
			default:
				assert.Fail(t, "Observe does not end")
			}
			close(lock.back)
			sleep(time.Minute)
		})
	}
}

func TestACandidateLeavesInTimeThoughItsLockIsDeaf(t *testing.T) {
	for _, hangsAfter := range []time.Duration{0, 5 * s, 14 * s} {
		within(t, func(t *testing.T) {
			m := newMemory()
			m.edit(func(s *rl.Snapshot) { *s = held("x", "", 0, 15*time.Second) })
			lock := &deafLock{memoryLock: m.lock("a"), back: make(chan struct{})}
			a := contend(t, lock, func(c *LeaderElectionConfig) { c.ReleaseOnCancel = true })
			sleep(hangsAfter)
			lock.hang.Store(true)
			sleep(18 * s)
			began := time.Now()
			a.cancel()
			<-a.ended
			assert.LessOrEqual(t, time.Since(began), 2*s)
			close(lock.back)
			sleep(s)
		})
	}
}
