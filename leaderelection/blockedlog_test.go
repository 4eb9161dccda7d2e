package leaderelection

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"k8s.io/klog/v2"
)

// stuck is a sink of log lines that blocks for as long as it is told to.
type stuck struct{ until <-chan struct{} }

func (*stuck) Init(klog.RuntimeInfo)            {}
func (*stuck) Enabled(int) bool                 { return true }
func (s *stuck) Info(int, string, ...any)       { <-s.until }
func (s *stuck) Error(error, string, ...any)    { <-s.until }
func (s *stuck) WithValues(...any) klog.LogSink { return s }
func (s *stuck) WithName(string) klog.LogSink   { return s }

// A log that blocks costs the lease, but never makes the work outlive it.
func TestALogThatBlocksDoesNotMakeTheWorkOutliveItsTerm(t *testing.T) {
	within(t, func(t *testing.T) {
		m := newMemory()
		lock := m.lock("a")
		free := make(chan struct{})
		close(free)
		sink := &stuck{until: free}
		work := make(chan time.Time, 1)
		cfg := config(lock)
		cfg.Callbacks = LeaderCallbacks{
			OnStartedLeading: func(ctx context.Context) { <-ctx.Done(); work <- time.Now() },
			OnStoppedLeading: func() {},
		}
		le, err := NewLeaderElector(cfg)
		require.NoError(t, err)
		ctx, cancel := context.WithCancel(klog.NewContext(t.Context(), klog.New(sink)))
		defer cancel()
		ended := make(chan struct{})
		go func() { defer close(ended); le.Run(ctx) }()
		sleep(10 * s)
		require.True(t, le.IsLeader())
		blocked := make(chan struct{})
		sink.until = blocked
		cut := time.Now()
		lock.with(func(l *memoryLock) { l.cut = true })
		sleep(time.Minute)
		assert.False(t, le.IsLeader())
		assert.WithinDuration(t, cut.Add(12*s), <-work, 2*s+ms)
		select {
		case <-ended:
			assert.Fail(t, "the log has blocked nothing")
		default:
		}
		close(blocked)
		<-ended
	})
}
