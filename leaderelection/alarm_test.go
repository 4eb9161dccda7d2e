package leaderelection

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"k8s.io/klog/v2"
)

// Whoever tells the work first, the loop or the alarm, the term ends with what it was told,
// whatever the work does then: end Run's context, as programs do, or return at once.
func TestATermEndsWithWhatItsWorkWasTold(t *testing.T) {
	for _, releases := range []bool{true, false} {
		for range 50 { // which of the two is first is the scheduler's
			within(t, func(t *testing.T) {
				m := newMemory()
				lock := m.lock("a")
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				told := make(chan error, 1)
				var traced Reason
				cfg := config(lock)
				cfg.ReleaseOnCancel = releases
				cfg.Trace = &Trace{TermEnded: func(_ *Term, ended *TermEndedError) { traced = ended.Reason }}
				cfg.Callbacks = LeaderCallbacks{
					OnStartedLeading: func(work context.Context) { <-work.Done(); told <- context.Cause(work); cancel() },
					OnStoppedLeading: func() {},
				}
				le, err := NewLeaderElector(cfg)
				require.NoError(t, err)
				ended := make(chan struct{})
				go func() { defer close(ended); le.Run(ctx) }()
				sleep(5 * s)
				lock.with(func(l *memoryLock) { l.cut = true })
				term := le.Term()
				go func() { <-term.Done(); lock.with(func(l *memoryLock) { l.cut = false }) }()
				<-ended
				assert.Same(t, term.ending(), <-told)
				assert.Equal(t, ReasonRenewDeadline, term.ending().Reason)
				assert.Equal(t, ReasonRenewDeadline, traced)
				assert.Equal(t, releases, m.now().Record.HolderIdentity == "", "work that returns at once leaves a lease that can be released")
			})
		}
	}
}

// A log that blocks does not keep a term that is found in doubt from ending.
func TestALogThatBlocksDoesNotKeepATermInDoubt(t *testing.T) {
	within(t, func(t *testing.T) {
		clk := suspending{began: time.Now(), asleep: new(atomic.Int64)}
		lock := newMemory().lock("a")
		blocked := make(chan struct{})
		sink := &blocksAtLine{until: blocked}
		told := make(chan time.Time, 1)
		cfg := config(lock)
		cfg.Clock = clk
		cfg.Callbacks = LeaderCallbacks{
			OnStartedLeading: func(ctx context.Context) { <-ctx.Done(); told <- time.Now() },
			OnStoppedLeading: func() {},
		}
		le, err := NewLeaderElector(cfg)
		require.NoError(t, err)
		ctx, cancel := context.WithCancel(klog.NewContext(t.Context(), klog.New(sink)))
		defer cancel()
		ended := make(chan struct{})
		go func() { defer close(ended); le.Run(ctx) }()
		sleep(10 * s)
		sink.at.Store(1)
		sleep(3 * s) // the loop is at the line of a renewal
		clk.asleep.Add(int64(time.Hour))
		woke := time.Now()
		require.ErrorIs(t, le.Term().Err(), ErrNotLeader) // as Guard asks before each change
		assert.Less(t, (<-told).Sub(woke), s)
		close(blocked)
		<-ended
		assert.Equal(t, ReasonInDoubt, le.Term().ending().Reason)
	})
}
