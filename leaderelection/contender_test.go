package leaderelection

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	_ "github.com/holdfast-go/holdfast/internal/onecpu"
	rl "github.com/holdfast-go/holdfast/resourcelock"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// contender runs an elector and notes, on the clock of the bubble, what became
// of it.
type contender struct {
	*LeaderElector
	cancel context.CancelFunc
	// stopWork is how long the work takes to stop; negative: it never does,
	// before the test ends.
	stopWork time.Duration

	mu      sync.Mutex
	began   time.Time
	leading []interval
	cause   error
	stopped time.Time
	leaders []string
	ended   chan struct{}
	release chan struct{}
}

// interval is one run of the guarded work: from its begin over the end of its
// context to its return.
type interval struct{ from, cancelled, to time.Time }

func config(lock rl.Interface) LeaderElectionConfig {
	return LeaderElectionConfig{Lock: lock, LeaseDuration: 15 * s, RenewDeadline: 10 * s, RetryPeriod: 2 * s}
}

// oneClock is the real clock, or that of a bubble, with no monotonic reading beside the
// wall clock's: a leader has nothing to compare. In a program a clockWatch compares the
// clocks for all leaders; in a bubble each would do so by itself, 90,000 times an hour.
type oneClock struct{ realClock }

func (oneClock) Now() time.Time { return time.Now().Round(0) }

// contend starts a contender with config, changed as the test wants it.
func contend(t *testing.T, lock rl.Interface, changes ...func(*LeaderElectionConfig)) *contender {
	t.Helper()
	c := &contender{began: time.Now(), ended: make(chan struct{}), release: make(chan struct{})}
	cfg := config(lock)
	cfg.Clock = oneClock{}
	cfg.Callbacks = LeaderCallbacks{
		OnStartedLeading: c.work,
		OnStoppedLeading: func() { c.mu.Lock(); defer c.mu.Unlock(); c.stopped = time.Now() },
		OnNewLeader:      func(id string) { c.mu.Lock(); defer c.mu.Unlock(); c.leaders = append(c.leaders, id) },
	}
	for _, change := range changes {
		change(&cfg)
	}
	var err error
	c.LeaderElector, err = NewLeaderElector(cfg)
	require.NoError(t, err)
	if _, spread := lock.(*claims); !spread {
		c.random = func() float64 { return 0 } // renewals come RetryPeriod apart from the first on
	}
	if own, ok := lock.(interface{ draw() float64 }); ok {
		c.random = own.draw
	}
	if clk, ok := cfg.Clock.(watched); ok {
		c.leader.clocks = func() *clockWatch { return clk.watch }
	}
	ctx, cancel := context.WithCancel(t.Context())
	c.cancel = cancel
	go func() {
		defer close(c.ended)
		c.Run(ctx)
	}()
	t.Cleanup(func() {
		cancel()
		select {
		case <-c.release:
		default:
			close(c.release)
		}
		<-c.ended
		c.tenure.awaitWork(context.Background())
	})
	return c
}

// start runs an elector that does work while it leads, with config, changed as the test
// wants it. What it returns is closed when Run has returned.
func start(t *testing.T, ctx context.Context, lock rl.Interface, work func(context.Context), changes ...func(*LeaderElectionConfig)) (le *LeaderElector, ended <-chan struct{}) {
	t.Helper()
	cfg := config(lock)
	cfg.Callbacks = LeaderCallbacks{OnStartedLeading: work, OnStoppedLeading: func() {}}
	for _, change := range changes {
		change(&cfg)
	}
	le, err := NewLeaderElector(cfg)
	require.NoError(t, err)
	over := make(chan struct{})
	go func() {
		defer close(over)
		le.Run(ctx)
	}()
	return le, over
}

func (c *contender) work(ctx context.Context) {
	run := interval{from: time.Now()}
	c.mu.Lock()
	c.leading = append(c.leading, run)
	n := len(c.leading) - 1
	c.mu.Unlock()
	<-ctx.Done()
	c.mu.Lock()
	c.leading[n].cancelled, c.cause = time.Now(), context.Cause(ctx)
	stop := c.stopWork
	c.mu.Unlock()
	if stop < 0 {
		<-c.release
	} else if stop > 0 {
		time.Sleep(stop) // on the bubble's clock
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.leading[n].to = time.Now()
}

// runs returns the runs of the work so far.
func (c *contender) runs() []interval {
	c.mu.Lock()
	defer c.mu.Unlock()
	return append([]interval(nil), c.leading...)
}

// ledOnceAfter claims that a contender has led once, and not beside another.
func (c *contender) ledOnceAfter(t *testing.T, other *contender) {
	t.Helper()
	require.Len(t, c.runs(), 1)
	assert.False(t, c.runs()[0].from.Before(other.runs()[0].cancelled), "two work at once")
}

func (c *contender) stoppedAt() time.Time { c.mu.Lock(); defer c.mu.Unlock(); return c.stopped }

func (c *contender) sawLead() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return append([]string(nil), c.leaders...)
}

func (c *contender) takesToStop(d time.Duration) { c.mu.Lock(); defer c.mu.Unlock(); c.stopWork = d }

// why returns why the last term ended.
func (c *contender) why(t *testing.T) *TermEndedError {
	t.Helper()
	c.mu.Lock()
	defer c.mu.Unlock()
	var ended *TermEndedError
	require.ErrorAs(t, c.cause, &ended)
	return ended
}

// within runs a test in a bubble of virtual time.
func within(t *testing.T, test func(t *testing.T)) { synctest.Test(t, test) }

// sleep lets d pass and everything that happens in it settle.
func sleep(d time.Duration) {
	time.Sleep(d) // virtual
	synctest.Wait()
}
