package leaderelection

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	rl "github.com/holdfast-go/holdfast/resourcelock"
)

// traced notes what a Trace is told.
type traced struct {
	mu   sync.Mutex
	told []string
}

func (tr *traced) tell(format string, args ...any) {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	tr.told = append(tr.told, fmt.Sprintf(format, args...))
}

func (tr *traced) all() []string {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	return append([]string(nil), tr.told...)
}

func (tr *traced) into(c *LeaderElectionConfig) {
	c.Trace = &Trace{
		TermBegan: func(term *Term, how Succession) { tr.tell("%s began: %s", term.Holder(), how) },
		TermEnded: func(term *Term, ended *TermEndedError) {
			tr.tell("%s ended: %s, %d calls", term.Holder(), ended.Reason, ended.Calls)
		},
		Renewal:    func(result RenewalResult, took time.Duration) { tr.tell("%s in %v", result, took) },
		WatchEnded: func(err error) { tr.tell("watch ended: %t", err == nil) },
	}
}

func TestATraceIsToldWhatATermFollowsOn(t *testing.T) {
	within(t, func(t *testing.T) {
		m := newMemory()
		var first, second, third traced
		a := contend(t, m.lock("a"), first.into, func(c *LeaderElectionConfig) { c.ReleaseOnCancel = true })
		sleep(s)
		b := contend(t, m.lock("b"), second.into)
		sleep(4 * s)
		a.cancel()
		sleep(s)
		require.True(t, b.IsLeader())
		contend(t, m.lock("c"), third.into)
		sleep(s)
		b.cancel() // without a release
		sleep(20 * s)
		assert.Equal(t, []string{"a began: new lease", "confirmed in 0s", "confirmed in 0s", "a ended: Released, 0 calls"}, first.all())
		assert.Equal(t, "b began: handover", second.all()[0])
		assert.Equal(t, "c began: takeover", third.all()[0])
	})
}

func TestATraceIsToldWhatARenewalCameTo(t *testing.T) {
	within(t, func(t *testing.T) {
		m := newMemory()
		lock := m.lock("a")
		var tr traced
		contend(t, lock, tr.into)
		sleep(3 * s) // one renewal
		lock.with(func(l *memoryLock) { l.loseAnswers = true })
		sleep(4 * s)
		lock.with(func(l *memoryLock) { l.loseAnswers = false })
		sleep(500 * ms)
		m.edit(takenBy("b"))
		sleep(3 * s)
		told := tr.all()
		assert.Equal(t, []string{"a began: new lease", "confirmed in 0s"}, told[:2])
		assert.Contains(t, told, "settled in 2s", "the write was slow for one retry period, and a read found it done")
		assert.Equal(t, "lost in 2s", told[len(told)-2])
		assert.Equal(t, "a ended: Taken, 2 calls", told[len(told)-1], "a write whose answer was lost, and the read that said why")
	})
}

func TestATraceIsToldOfWatchesThatEnd(t *testing.T) {
	within(t, func(t *testing.T) {
		m := newMemory()
		contend(t, m.lock("a"))
		sleep(s)
		lock := m.lock("b")
		lock.with(func(l *memoryLock) { l.deaf = true })
		var tr traced
		contend(t, lock, tr.into)
		sleep(30 * s)
		assert.Contains(t, tr.all(), "watch ended: true")
		lock.with(func(l *memoryLock) { l.deaf, l.watchErr = false, apierrors.NewServiceUnavailable("no") })
		sleep(30 * s)
		assert.Contains(t, tr.all(), "watch ended: false")
	})
}

func TestAFunctionOfATraceMayResign(t *testing.T) {
	for name, trace := range map[string]func(resign func()) *Trace{
		"as a term begins": func(resign func()) *Trace {
			return &Trace{TermBegan: func(*Term, Succession) { resign() }}
		},
		"after a renewal": func(resign func()) *Trace {
			return &Trace{Renewal: func(RenewalResult, time.Duration) { resign() }}
		},
		"as a term ends": func(resign func()) *Trace {
			return &Trace{TermEnded: func(*Term, *TermEndedError) { resign() }}
		},
	} {
		for _, stop := range []time.Duration{0, 3 * s} {
			t.Run(fmt.Sprintf("%s, work stops after %v", name, stop), func(t *testing.T) {
				within(t, func(t *testing.T) {
					m := newMemory()
					var a *LeaderElector
					var results []error
					done := make(chan struct{}, 1)
					contender := contend(t, m.lock("a"), func(c *LeaderElectionConfig) {
						c.Trace = trace(func() {
							if results == nil {
								results = []error{a.Resign(context.Background())}
								done <- struct{}{}
							}
						})
						c.Trace.Made = func(made *LeaderElector) { a = made }
					}, func(c *LeaderElectionConfig) {
						began := c.Callbacks.OnStartedLeading
						c.Callbacks.OnStartedLeading = func(ctx context.Context) { began(ctx); time.Sleep(stop) }
					})
					sleep(3 * s)
					if name == "as a term ends" {
						require.NoError(t, contender.Resign(t.Context()))
					}
					sleep(stop + 30*s)
					<-done
					if name == "as a term ends" {
						require.ErrorIs(t, results[0], ErrNotLeader)
					} else {
						require.NoError(t, results[0], "released")
					}
					assert.True(t, contender.IsLeader(), "it contends again, and leads")
					assert.Len(t, contender.runs(), 2)
					contender.cancel()
				})
			})
		}
	}
}

func TestAFunctionOfATraceThatBlocksStopsNothing(t *testing.T) {
	within(t, func(t *testing.T) {
		m := newMemory()
		blocked := make(chan struct{})
		var told atomic.Int64
		block := func() { told.Add(1); <-blocked }
		trace := func(c *LeaderElectionConfig) {
			c.Trace = &Trace{
				TermBegan:  func(*Term, Succession) { block() },
				TermEnded:  func(*Term, *TermEndedError) { block() },
				Renewal:    func(RenewalResult, time.Duration) { block() },
				WatchEnded: func(error) { block() },
			}
			c.ReleaseOnCancel = true
		}
		a := contend(t, m.lock("a"), trace)
		sleep(s)
		b := contend(t, m.lock("b"), trace)
		sleep(10 * time.Minute)
		require.Len(t, a.runs(), 1)
		require.True(t, a.IsLeader(), "the lease is kept")
		a.cancel()
		sleep(s)
		require.True(t, b.IsLeader(), "and handed over")
		assert.Equal(t, int64(2), told.Load(), "one call of each elector's")
		close(blocked)
		synctest.Wait()
		assert.Equal(t, int64(2+mostCallsWaiting), told.Load(), "the newest of a's calls have waited")
		b.cancel()
	})
}

func TestStatusTellsHowLongNobodyHasLed(t *testing.T) {
	within(t, func(t *testing.T) {
		m := newMemory()
		m.edit(func(s *rl.Snapshot) { *s = held("other", "", 0, time.Minute) })
		b := contend(t, m.lock("b"))
		synctest.Wait()
		assert.Equal(t, Status{Holder: "other"}, b.Status())
		sleep(59 * s)
		assert.Zero(t, b.Status().Leaderless, "the holder's lease has not run out")
		sleep(2 * s)
		assert.Equal(t, Status{Leading: true, Rest: b.Status().Rest, Holder: "b"}, b.Status())
		assert.Greater(t, b.Status().Rest, 10*s)
		assert.LessOrEqual(t, b.Status().Rest, 12*s)
	})
	within(t, func(t *testing.T) {
		lock := newMemory().lock("b")
		lock.with(func(l *memoryLock) { l.cut = true })
		b := contend(t, lock)
		sleep(7 * s)
		assert.Equal(t, Status{Leaderless: 7 * s}, b.Status(), "nobody was seen since it joined")
	})
}

func TestReadinessFailsWhileATermIsInDoubt(t *testing.T) {
	within(t, func(t *testing.T) {
		clk := suspending{began: time.Now(), asleep: new(atomic.Int64)}
		lock := newMemory().lock("a")
		check := NewLeaderReadyzAdaptor()
		assert.NoError(t, check.Check(nil), "no elector yet")
		a := contend(t, lock, func(c *LeaderElectionConfig) { c.Clock = clk })
		check.SetLeaderElection(a.LeaderElector)
		sleep(s)
		assert.NoError(t, check.Check(nil))
		lock.with(func(l *memoryLock) { l.cut = true })
		clk.asleep.Store(int64(time.Minute))
		err := check.Check(nil)
		assert.ErrorIs(t, err, ErrNotLeader)
		assert.ErrorContains(t, err, "in doubt")
		assert.True(t, a.Status().InDoubt)
		lock.with(func(l *memoryLock) { l.cut = false })
		sleep(3 * s)
		assert.NoError(t, check.Check(nil), "the record was still ours")
	})
}

// namelessLock panics when it is asked for its name.
type namelessLock struct {
	*memoryLock
	nameless atomic.Bool
}

func (l *namelessLock) Describe() string {
	if l.nameless.Load() {
		panic("no name")
	}
	return l.memoryLock.Describe()
}

func TestTheEndOfATermIsToldOnceThoughTheNextCannotBegin(t *testing.T) {
	within(t, func(t *testing.T) {
		lock := &namelessLock{memoryLock: newMemory().lock("a")}
		ended := 0
		cfg := config(lock)
		cfg.Callbacks = LeaderCallbacks{OnStartedLeading: func(ctx context.Context) { <-ctx.Done() }, OnStoppedLeading: func() {}}
		cfg.Trace = &Trace{TermEnded: func(*Term, *TermEndedError) { ended++ }}
		le, err := NewLeaderElector(cfg)
		require.NoError(t, err)
		panicked := make(chan any)
		go func() {
			defer func() { panicked <- recover() }()
			le.Run(t.Context())
		}()
		sleep(s)
		require.NoError(t, le.Resign(t.Context()))
		lock.nameless.Store(true)
		require.Equal(t, "no name", <-panicked)
		assert.Equal(t, 1, ended)
	})
}
