package leaderelection

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/klog/v2"

	rl "github.com/holdfast-go/holdfast/resourcelock"
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
		told := make(chan time.Time, 1)
		ctx, cancel := context.WithCancel(klog.NewContext(t.Context(), klog.New(sink)))
		defer cancel()
		le, ended := start(t, ctx, lock, func(ctx context.Context) { <-ctx.Done(); told <- time.Now() })
		sleep(10 * s)
		require.True(t, le.IsLeader())
		blocked := make(chan struct{})
		sink.until = blocked
		cut := time.Now()
		lock.with(func(l *memoryLock) { l.cut = true })
		sleep(time.Minute)
		assert.False(t, le.IsLeader())
		assert.WithinDuration(t, cut.Add(12*s), <-told, 2*s+ms)
		select {
		case <-ended:
			assert.Fail(t, "the log has blocked nothing")
		default:
		}
		close(blocked)
		<-ended
	})
}

// blocksAtLine is a sink of log lines that blocks from the line of a number on.
type blocksAtLine struct {
	at, lines atomic.Int64
	until     chan struct{}
}

func (*blocksAtLine) Init(klog.RuntimeInfo)            {}
func (*blocksAtLine) Enabled(int) bool                 { return true }
func (c *blocksAtLine) Info(int, string, ...any)       { c.line() }
func (c *blocksAtLine) Error(error, string, ...any)    { c.line() }
func (c *blocksAtLine) WithValues(...any) klog.LogSink { return c }
func (c *blocksAtLine) WithName(string) klog.LogSink   { return c }

func (c *blocksAtLine) line() {
	if at := c.at.Load(); c.lines.Add(1) >= at && at > 0 {
		<-c.until
	}
}

// shortensFrom is admission that stores a shorter lease from some moment on.
type shortensFrom struct {
	*memoryLock
	from time.Time
}

func (l *shortensFrom) Write(ctx context.Context, base rl.Snapshot, next rl.Entry) (rl.Snapshot, error) {
	if time.Now().After(l.from) && next.Record.HolderIdentity != "" {
		next.Duration, next.Record.LeaseDurationSeconds = 8*s, 8
	}
	return l.memoryLock.Write(ctx, base, next)
}

// Whatever line it is that the log blocks at, and whatever goes on: no work goes on beside
// the next leader's, and it hears of the end of Run's context at once.
func TestWhateverLineTheLogBlocksAtTheWorkIsStopped(t *testing.T) {
	lines := int64(1)
	for at := int64(0); at <= lines; at++ {
		within(t, func(t *testing.T) {
			m := newMemory()
			sink := &blocksAtLine{until: make(chan struct{})}
			sink.at.Store(at)
			var leads atomic.Bool
			var told atomic.Int64
			ctx, cancel := context.WithCancel(klog.NewContext(t.Context(), klog.New(sink)))
			lock := &shortensFrom{m.lock("a"), time.Now().Add(time.Minute)}
			_, ended := start(t, ctx, lock, func(ctx context.Context) {
				leads.Store(true)
				<-ctx.Done()
				leads.Store(false)
				told.Store(time.Now().UnixNano())
			}, asksAfter(20*s), withPriority(of(7)))
			sleep(s)
			var beside atomic.Bool
			b := contend(t, m.lock("b"), asksAfter(20*s), withPriority(of(4)), func(c *LeaderElectionConfig) {
				work := c.Callbacks.OnStartedLeading
				c.Callbacks.OnStartedLeading = func(ctx context.Context) {
					beside.Store(leads.Load())
					work(ctx)
				}
			})
			sleep(100 * s)
			cancelled := time.Now()
			stopped := !leads.Load()
			cancel()
			sleep(s)
			assert.False(t, beside.Load(), "line %d: two works", at)
			assert.False(t, leads.Load(), "line %d: the work has not heard of the end of Run's context", at)
			if !stopped {
				assert.Less(t, time.Unix(0, told.Load()).Sub(cancelled), s, "line %d", at)
			}
			if at == 0 {
				lines = sink.lines.Load()
				assert.Empty(t, b.runs(), "nothing has blocked")
			}
			close(sink.until)
			<-ended
		})
	}
	assert.Greater(t, lines, int64(30))
}

// Nothing comes before the end of the work's context, when the lease is lost.
func TestTheWorkIsToldOfALossBeforeAnybodyElse(t *testing.T) {
	within(t, func(t *testing.T) {
		m := newMemory()
		free := make(chan struct{})
		var traced, heard, told atomic.Int64
		now := func(at *atomic.Int64) { at.Store(time.Now().UnixNano()) }
		work := func(ctx context.Context) { <-ctx.Done(); now(&told) }
		_, ended := start(t, t.Context(), m.lock("a"), work, func(c *LeaderElectionConfig) {
			c.Trace = &Trace{Renewal: func(result RenewalResult, _ time.Duration) {
				if result == RenewalLost {
					now(&traced)
					<-free
				}
			}}
			c.Callbacks.OnNewLeader = func(identity string) {
				if identity == "b" {
					now(&heard)
				}
			}
		})
		sleep(10 * s)
		m.edit(func(state *rl.Snapshot) {
			state.Record.HolderIdentity, state.Record.RenewTime = "b", metav1.NewTime(time.Now())
			state.Stated = rl.Statement{}
		})
		sleep(5 * s)
		close(free)
		<-ended
		require.NotZero(t, told.Load())
		assert.LessOrEqual(t, told.Load(), traced.Load())
		assert.LessOrEqual(t, told.Load(), heard.Load())
	})
}
