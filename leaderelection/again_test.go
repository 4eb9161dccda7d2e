package leaderelection

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"k8s.io/klog/v2"
	"k8s.io/klog/v2/ktesting"

	rl "github.com/holdfast-go/holdfast/resourcelock"
)

// runAgain runs a contender's elector once more, when its Run has ended.
func runAgain(t *testing.T, c *contender) (cancel context.CancelFunc) {
	t.Helper()
	<-c.ended
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		c.Run(ctx)
	}()
	t.Cleanup(func() {
		cancel()
		select {
		case <-c.release:
		default:
			close(c.release)
		}
		<-ended
	})
	return cancel
}

// apart checks that no two runs of the work overlap.
func apart(t *testing.T, runs []interval) {
	t.Helper()
	for i := 1; i < len(runs); i++ {
		assert.False(t, runs[i-1].to.IsZero() || runs[i].from.Before(runs[i-1].to), "two works at once: %v", runs)
	}
}

func TestRunAgainBeginsNoWorkWhileThatOfTheLastRunStops(t *testing.T) {
	for name, end := range map[string]func(*contender, *memoryLock){
		"a lost term":       func(_ *contender, l *memoryLock) { l.with(func(l *memoryLock) { l.cut = true }) },
		"a context's end":   func(c *contender, _ *memoryLock) { c.cancel() },
		"taken and emptied": func(_ *contender, l *memoryLock) { l.edit(takenBy("")) },
	} {
		t.Run(name, func(t *testing.T) {
			within(t, func(t *testing.T) {
				m := newMemory()
				lock := m.lock("a")
				a := contend(t, lock)
				a.takesToStop(time.Minute)
				sleep(s)
				end(a, lock)
				<-a.ended
				lock.with(func(l *memoryLock) { l.cut = false })
				runAgain(t, a)
				sleep(2 * time.Minute)
				require.Len(t, a.runs(), 2)
				apart(t, a.runs())
				assert.True(t, a.IsLeader())
			})
		})
	}
}

// RunOrDie in a loop makes an elector each time.
func TestAnElectorMadeAnewWaitsForTheWorkOfTheOneBefore(t *testing.T) {
	within(t, func(t *testing.T) {
		m := newMemory()
		lock := m.lock("a")
		check := NewLeaderHealthzAdaptor(0)
		first := contend(t, lock)
		check.SetLeaderElection(first.LeaderElector)
		sleep(s)
		require.True(t, first.IsLeader())
		first.takesToStop(time.Minute)
		lock.with(func(l *memoryLock) { l.cut = true })
		sleep(20 * s)
		require.False(t, first.IsLeader())
		lock.with(func(l *memoryLock) { l.cut = false })

		again := contend(t, lock)
		check.SetLeaderElection(again.LeaderElector)
		sleep(20 * s)
		assert.Empty(t, again.runs(), "the work of the first still runs")
		assert.ErrorContains(t, check.Check(nil), "still runs", "and is checked")
		sleep(time.Minute)
		require.Len(t, again.runs(), 1)
		assert.False(t, again.runs()[0].from.Before(first.runs()[0].to))
		assert.NoError(t, check.Check(nil))
		_, running := works.Load(rl.Interface(lock))
		assert.True(t, running)
		again.cancel()
		sleep(time.Minute)
		_, running = works.Load(rl.Interface(lock))
		assert.False(t, running, "nothing is kept")
	})
}

func TestAnElectorWaitsForItsOwnWorkAndForThatOfAnotherWithItsLock(t *testing.T) {
	within(t, func(t *testing.T) {
		lock := newMemory().lock("a")
		cfg := config(lock)
		cfg.Callbacks = LeaderCallbacks{OnStartedLeading: func(context.Context) {}, OnStoppedLeading: func() {}}
		le, err := NewLeaderElector(cfg)
		require.NoError(t, err)
		lasts := func(d time.Duration) *work {
			return startWork(t.Context(), new(Term), lock, func(context.Context) { sleep(d) })
		}
		for name, works := range map[string][2]time.Duration{"its own is longer": {7 * s, 3 * s}, "the other's is longer": {3 * s, 7 * s}} {
			le.tenure.work = lasts(works[0])
			lasts(works[1])
			began := time.Now()
			assert.True(t, le.tenure.awaitWork(t.Context()), name)
			assert.Equal(t, 7*s, time.Since(began), name)
		}
	})
}

// bundle is a lock that is no pointer, and cannot be compared if what it holds cannot.
type bundle struct {
	rl.Versioned
	any
}

func TestALockThatIsNoPointerMayHoldAnything(t *testing.T) {
	for _, holds := range []any{nil, "text", []string{"a slice"}, map[string]int{}, func() {}, struct{ any }{[]int{1}}} {
		within(t, func(t *testing.T) {
			c := contend(t, bundle{newMemory().lock("a"), holds})
			sleep(5 * s)
			assert.True(t, c.IsLeader(), "%T", holds)
		})
	}
}

func TestWorkThatNeverReturnsKeepsItsElectorFromContendingAndThatIsSaid(t *testing.T) {
	within(t, func(t *testing.T) {
		logger := ktesting.NewLogger(ktesting.NopTL{}, ktesting.NewConfig(ktesting.BufferLogs(true)))
		said := func() int {
			return strings.Count(logger.GetSink().(ktesting.Underlier).GetBuffer().String(), "has not returned; not contending")
		}
		m := newMemory()
		cfg := config(m.lock("a"))
		works, release := 0, make(chan struct{})
		cfg.Callbacks = LeaderCallbacks{OnStartedLeading: func(context.Context) { works++; <-release }, OnStoppedLeading: func() {}}
		le, err := NewLeaderElector(cfg)
		require.NoError(t, err)
		run := func(d time.Duration) {
			ctx, cancel := context.WithCancel(klog.NewContext(t.Context(), logger))
			time.AfterFunc(d, cancel)
			le.Run(ctx)
		}
		run(s)
		began := time.Now()
		run(s)
		assert.Equal(t, 1, said(), "at once")
		assert.Equal(t, s, time.Since(began), "its context is heard meanwhile")
		run(9*time.Minute + 30*s)
		assert.Equal(t, 1+10, said(), "at once, and every minute")
		states := len(m.states())
		run(time.Hour)
		assert.Len(t, m.states(), states, "it does not contend")
		close(release)
		sleep(s)
		run(time.Minute)
		assert.Equal(t, 2, works)
	})
}

func TestATermThatIsOverIsNeverResumed(t *testing.T) {
	within(t, func(t *testing.T) {
		m := newMemory()
		a := contend(t, m.lock("a"))
		sleep(5 * s)
		a.cancel()
		<-a.ended
		first, states := a.Term(), len(m.states())
		runAgain(t, a)
		sleep(soon)
		require.Len(t, a.runs(), 2)
		apart(t, a.runs())
		assert.NotEqual(t, first.FencingToken(), a.Term().FencingToken(), "the second term has a write of its own")
		assert.Greater(t, len(m.states()), states)
	})
}

// latecomer is a lock whose releases are given up by their caller, and land
// when the test says so.
type latecomer struct {
	*memoryLock
	mu   sync.Mutex
	late []func()
}

func (l *latecomer) Write(ctx context.Context, base rl.Snapshot, next rl.Entry) (rl.Snapshot, error) {
	if next.Record.HolderIdentity != "" {
		return l.memoryLock.Write(ctx, base, next)
	}
	l.mu.Lock()
	l.late = append(l.late, func() { _, _ = l.commit(base, next) }) // nobody hears what becomes of it
	l.mu.Unlock()
	<-ctx.Done()
	return rl.Snapshot{}, ctx.Err()
}

func (l *latecomer) land() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, land := range l.late {
		land()
	}
	l.late = nil
}

func TestAReleaseThatIsGivenUpAndLandsLaterCostsNobodyHisLease(t *testing.T) {
	for name, stepDown := range map[string]func(*contender){
		"Run again":                         func(c *contender) { c.cancel() },
		"a resignation":                     func(c *contender) { _ = c.Resign(context.Background()) },
		"a resignation as the context ends": func(c *contender) { go c.cancel(); _ = c.Resign(context.Background()) },
	} {
		t.Run(name, func(t *testing.T) {
			within(t, func(t *testing.T) {
				m := newMemory()
				lock := &latecomer{memoryLock: m.lock("a")}
				a := contend(t, lock, func(c *LeaderElectionConfig) { c.ReleaseOnCancel = true })
				sleep(5 * s)
				b := contend(t, m.lock("b"))
				stepDown(a)
				sleep(2 * s)
				select {
				case <-a.ended:
					runAgain(t, a)
				default:
				}
				for range 100 {
					sleep(37 * ms)
					if a.IsLeader() {
						lock.land()
					}
					assert.False(t, a.IsLeader() && b.IsLeader(), "two leaders")
				}
				lock.land()
				sleep(20 * s)
				assert.False(t, a.IsLeader() && b.IsLeader(), "two leaders")
				assert.True(t, a.IsLeader() || b.IsLeader(), "someone leads in the end")
			})
		})
	}
}

func TestASecondRunAtTheSameTimeSaysSoAndChangesNothing(t *testing.T) {
	within(t, func(t *testing.T) {
		logger := ktesting.NewLogger(ktesting.NopTL{}, ktesting.NewConfig(ktesting.BufferLogs(true)))
		m := newMemory()
		stopped := 0
		a := contend(t, m.lock("a"), func(c *LeaderElectionConfig) { c.Callbacks.OnStoppedLeading = func() { stopped++ } })
		sleep(s)
		for range 3 {
			began := time.Now()
			a.Run(klog.NewContext(t.Context(), logger))
			assert.Equal(t, began, time.Now(), "at once")
			sleep(5 * s)
		}
		assert.Equal(t, 3, strings.Count(logger.GetSink().(ktesting.Underlier).GetBuffer().String(), "Run was called while another Run"))
		assert.Zero(t, stopped, "people exit in OnStoppedLeading")
		assert.Len(t, a.runs(), 1)
		assert.True(t, a.IsLeader())
		a.cancel()
		<-a.ended
		assert.Equal(t, 1, stopped)
	})
}

func TestTwoRunsAtOnceWhileACandidateAreOne(t *testing.T) {
	within(t, func(t *testing.T) {
		m := newMemory()
		first := contend(t, m.lock("other"))
		sleep(s)
		a := contend(t, m.lock("a"))
		sleep(s)
		a.Run(t.Context())
		first.cancel()
		sleep(time.Minute)
		assert.Len(t, a.runs(), 1)
		assert.True(t, a.IsLeader())
	})
}

func TestRunMayBeCalledFromOnStoppedLeading(t *testing.T) {
	within(t, func(t *testing.T) {
		m := newMemory()
		lock := m.lock("a")
		self := make(chan *contender, 1)
		again := 0
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		a := contend(t, lock, func(c *LeaderElectionConfig) {
			c.Callbacks.OnStoppedLeading = func() {
				if again++; again == 1 {
					(<-self).Run(ctx)
				}
			}
		})
		self <- a
		sleep(s)
		m.edit(takenBy("b"))
		sleep(time.Minute)
		assert.True(t, a.IsLeader())
		assert.Len(t, a.runs(), 2)
		cancel()
		<-a.ended
		assert.Equal(t, 2, again)
	})
}

func TestTheWorkMayResign(t *testing.T) {
	for name, with := range map[string]func(context.Context) context.Context{
		"its context":       func(ctx context.Context) context.Context { return ctx },
		"a context from it": func(ctx context.Context) context.Context { return context.WithoutCancel(ctx) },
		"any context":       func(context.Context) context.Context { return context.Background() },
	} {
		t.Run(name, func(t *testing.T) {
			within(t, func(t *testing.T) {
				m := newMemory()
				self := make(chan *contender, 1)
				var took time.Duration
				var result error
				var cause error
				a := contend(t, m.lock("a"), func(c *LeaderElectionConfig) {
					c.Callbacks.OnStartedLeading = func(ctx context.Context) {
						a := <-self
						began := time.Now()
						result = a.Resign(with(ctx))
						took, cause = time.Since(began), context.Cause(ctx)
					}
				})
				sleep(3 * s)
				self <- a
				sleep(soon)
				assert.Zero(t, took)
				assert.NoError(t, result)
				var ended *TermEndedError
				require.ErrorAs(t, cause, &ended, "its context has ended when Resign returns")
				assert.Equal(t, ReasonResigned, ended.Reason)
				assert.Empty(t, m.now().Record.HolderIdentity, "released when the work returned")
				a.cancel()
			})
		})
	}
}

func TestAResignationThatWaitsForTheWorkEndsWithTheContextOfRun(t *testing.T) {
	within(t, func(t *testing.T) {
		m := newMemory()
		a := contend(t, m.lock("a"))
		a.takesToStop(-1)
		sleep(s)
		result := make(chan error, 1)
		go func() { result <- a.Resign(context.Background()) }()
		sleep(s)
		a.cancel()
		cancelled := time.Now()
		<-a.ended
		assert.Equal(t, cancelled, time.Now(), "without ReleaseOnCancel, Run waits for nothing")
		assert.ErrorContains(t, <-result, "not released")
		assert.Equal(t, ReasonResigned, a.why(t).Reason)
	})
}

func TestAResignationEndsTheTermThatItWasMeantForOrNone(t *testing.T) {
	within(t, func(t *testing.T) {
		m := newMemory()
		lock := m.lock("a")
		a := contend(t, lock, func(c *LeaderElectionConfig) { c.ContendAgain = true })
		sleep(s)
		for range 50 {
			terms := len(a.runs())
			m.edit(takenBy("b")) // noticed by the next renewal
			results := make(chan error, 20)
			for i := range 20 {
				time.AfterFunc(time.Duration(i)*110*ms, func() { results <- a.Resign(context.Background()) })
			}
			sleep(30 * s)
			require.Greater(t, len(a.runs()), terms)
			for range 20 {
				err := <-results
				assert.True(t, err == nil || errors.Is(err, ErrNotLeader), "%v", err)
			}
		}
	})
}

func TestEveryoneWhoResignsIsToldWhatBecameOfIt(t *testing.T) {
	within(t, func(t *testing.T) {
		a := contend(t, newMemory().lock("a"))
		a.takesToStop(3 * s)
		sleep(s)
		results := make(chan error, 3)
		for range 3 {
			go func() { results <- a.Resign(context.Background()) }()
		}
		sleep(4 * s)
		for range 3 {
			assert.NoError(t, <-results)
		}
	})
}

func TestOnStartedLeadingIsNeverCalledAfterOnStoppedLeading(t *testing.T) {
	for range 300 { // in real time, where a goroutine may be late
		var mu sync.Mutex
		var calls []string
		note := func(s string) { mu.Lock(); defer mu.Unlock(); calls = append(calls, s) }
		ctx, cancel := context.WithCancel(t.Context())
		cfg := config(newMemory().lock("a"))
		cfg.Callbacks = LeaderCallbacks{
			OnStartedLeading: func(context.Context) { note("started") },
			OnStoppedLeading: func() { note("stopped") },
		}
		cfg.Trace = &Trace{TermBegan: func(*Term, Succession) { cancel() }}
		le, err := NewLeaderElector(cfg)
		require.NoError(t, err)
		le.Run(ctx)
		le.tenure.awaitWork(context.Background())
		mu.Lock()
		assert.Equal(t, "stopped", calls[len(calls)-1], "%v", calls)
		mu.Unlock()
	}
}

func TestAPanicOfRunLeavesNoWorkUncancelled(t *testing.T) {
	within(t, func(t *testing.T) {
		m := newMemory()
		lock := m.lock("a")
		cfg := config(lock)
		var cause error
		stopped := make(chan struct{})
		boom := make(chan struct{})
		cfg.Callbacks = LeaderCallbacks{
			OnStartedLeading: func(ctx context.Context) { <-ctx.Done(); cause = context.Cause(ctx); close(stopped) },
			OnStoppedLeading: func() {},
		}
		cfg.Clock = panicking{realClock{}, boom, new(sync.Once)}
		ended := make(chan Reason, 1)
		cfg.Trace = &Trace{TermEnded: func(_ *Term, why *TermEndedError) { ended <- why.Reason }}
		le, err := NewLeaderElector(cfg)
		require.NoError(t, err)
		done := make(chan any)
		go func() {
			defer func() { done <- recover() }()
			le.Run(t.Context())
		}()
		sleep(s)
		require.True(t, le.IsLeader())
		close(boom)
		require.Equal(t, "a clock that panics", <-done)
		<-stopped
		assert.ErrorIs(t, cause, ErrNotLeader)
		assert.ErrorIs(t, le.Term().Err(), ErrNotLeader)
		assert.ErrorIs(t, le.Resign(t.Context()), ErrNotLeader)
		assert.Equal(t, ReasonCancelled, <-ended, "the trace hears of it")
	})
}

// panicking is a clock whose next reading panics once boom is closed.
type panicking struct {
	realClock
	boom chan struct{}
	once *sync.Once
}

func (c panicking) SinceBoot() time.Duration {
	select {
	case <-c.boom:
		c.once.Do(func() { panic("a clock that panics") })
	default:
	}
	return 0
}

// What one run has seen, the next one knows: that the lease was held when it was
// deleted.
func TestRunAgainKnowsOfAHolderWhoseLeaseWasDeletedDuringTheLastRun(t *testing.T) {
	within(t, func(t *testing.T) {
		m := newMemory()
		m.edit(func(state *rl.Snapshot) { *state = held("other", "", 0, 15*s) })
		a := contend(t, m.lock("a"))
		sleep(s)
		m.remove()
		sleep(5 * s)
		a.cancel()
		runAgain(t, a)
		sleep(9 * s)
		assert.Empty(t, a.runs(), "the holder may not have heard yet")
		sleep(2 * s)
		assert.Len(t, a.runs(), 1)
	})
}

func TestWorkLeftOverFromATermDoesNotResignTheNext(t *testing.T) {
	within(t, func(t *testing.T) {
		works := make(chan context.Context, 100)
		a := contend(t, newMemory().lock("a"), func(c *LeaderElectionConfig) {
			work := c.Callbacks.OnStartedLeading
			c.Callbacks.OnStartedLeading = func(ctx context.Context) { works <- ctx; work(ctx) }
		})
		sleep(s)
		leftOver := <-works
		require.NoError(t, a.Resign(t.Context()))
		sleep(10 * s)
		require.True(t, a.IsLeader())
		for range 20 { // whichever of several that are ready is chosen
			assert.ErrorIs(t, a.Resign(leftOver), ErrNotLeader)
			assert.ErrorIs(t, a.Resign(context.WithoutCancel(leftOver)), ErrNotLeader)
			sleep(10 * s)
		}
		assert.Len(t, a.runs(), 2)
		assert.True(t, a.IsLeader())
	})
}
