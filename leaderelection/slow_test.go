package leaderelection

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"k8s.io/utils/clock"

	rl "github.com/holdfast-go/holdfast/resourcelock"
)

func TestALateAnswerDoesNotLengthenTheTerm(t *testing.T) {
	within(t, func(t *testing.T) {
		m := newMemory()
		lock := m.lock("a")
		a := contend(t, lock)
		sleep(3 * s)
		lock.with(func(l *memoryLock) { l.loseAnswers = true })
		sleep(2 * s) // the renewal sent at 4 s is committed; no answer comes
		renewed := m.now().Record.RenewTime.Time
		assert.Equal(t, 4*s, renewed.Sub(a.runs()[0].from).Round(soon))
		lock.with(func(l *memoryLock) { l.cut = true })
		sleep(30 * s)
		assert.LessOrEqual(t, a.runs()[0].cancelled.Sub(renewed), 12*s)
	})
}

func TestARenewalWhoseAnswerIsLostIsSettledByReadingTheRecord(t *testing.T) {
	within(t, func(t *testing.T) {
		m := newMemory()
		lock := m.lock("a")
		a := contend(t, lock, func(c *LeaderElectionConfig) {
			c.LeaseDuration, c.RenewDeadline, c.RetryPeriod = 60*s, 10*s, 2*s
		})
		sleep(3 * s)
		lock.with(func(l *memoryLock) { l.loseAnswers = true })
		sleep(2 * s)
		committed := m.now().Record.RenewTime.Time
		sleep(1100 * ms) // after a retry period without an answer, the record is read
		assert.WithinDuration(t, committed.Add(12*s), a.Term().End(), time.Microsecond, "the record is cut to microseconds")
		sleep(30 * s)
		assert.True(t, a.IsLeader(), "every renewal is known by reading alone")
		lock.with(func(l *memoryLock) { l.loseAnswers = false })
		sleep(60 * s)
		assert.True(t, a.IsLeader())
		assert.Len(t, a.runs(), 1)
	})
}

func TestAClaimWhoseAnswerIsLostIsRecognised(t *testing.T) {
	within(t, func(t *testing.T) {
		m := newMemory()
		lock := m.lock("a")
		lock.loseAnswers = true
		a := contend(t, lock)
		sleep(9 * s)
		lock.with(func(l *memoryLock) { l.loseAnswers = false })
		sleep(s + soon)
		require.Len(t, a.runs(), 1)
		assert.True(t, a.IsLeader())
		sleep(time.Minute)
		assert.True(t, a.IsLeader())
	})
}

func TestAnAPIThatAnswersLaterThanARetryPeriodKeepsItsLeader(t *testing.T) {
	within(t, func(t *testing.T) {
		m := newMemory()
		lock := &lateLock{memoryLock: m.lock("a"), late: 5 * s}
		a := contend(t, lock)
		sleep(10 * time.Minute)
		assert.True(t, a.IsLeader())
		assert.Len(t, a.runs(), 1)
	})
}

// The pace that slow answers ask for is the same where the clocks are compared all
// the time.
func TestALeaderAsksLessOfASlowAPIByAnyClock(t *testing.T) {
	for name, clk := range map[string]clock.WithDelayedExecution{
		"the usual clock":                   nil,
		"one of one's own":                  clock.RealClock{},
		"one that is compared by each term": suspending{began: time.Now(), asleep: new(atomic.Int64)},
	} {
		t.Run(name, func(t *testing.T) {
			within(t, func(t *testing.T) {
				m := newMemory()
				lock := &lateLock{memoryLock: m.lock("a"), late: 3 * s}
				a := contend(t, lock, func(c *LeaderElectionConfig) {
					if clk != nil {
						c.Clock = clk
					}
				})
				sleep(time.Minute)
				before := len(m.states())
				sleep(10 * time.Minute)
				assert.Equal(t, 120, len(m.states())-before, "a retry period after each answer")
				assert.Len(t, a.runs(), 1)
			})
		})
	}
}

// An answer may take nearly half a term, however long the retry period is.
func TestALongRetryPeriodKeepsTheLeaseOfASlowAPI(t *testing.T) {
	within(t, func(t *testing.T) {
		lock := &lateLock{memoryLock: newMemory().lock("a"), late: 4900 * ms}
		a := contend(t, lock, func(c *LeaderElectionConfig) { c.RetryPeriod = 8 * s })
		sleep(10 * time.Minute)
		require.True(t, a.IsLeader())
		assert.Len(t, a.runs(), 1)
	})
}

// A plain lock's calls take turns. A claim that is meant to leave while a read is
// under way leaves after it, and counts from then.
func TestAClaimOfAPlainLockCountsFromItsTurn(t *testing.T) {
	for late := 3 * s; late < 6*s; late += 200 * ms { // the lease becomes claimable at any moment of a read
		within(t, func(t *testing.T) {
			m := newMemory()
			m.edit(func(state *rl.Snapshot) { *state = held("other", "", 0, 15*s) })
			lock := &interfaceLock{memoryLock: m.lock("a"), delay: late, slowWrites: true}
			a := contend(t, onlyInterface{lock})
			sleep(2 * time.Minute)
			require.Len(t, a.runs(), 1, "%v", late)
			assert.True(t, a.IsLeader(), "%v", late)
			claimIn := late + 15*s
			assert.LessOrEqual(t, a.runs()[0].from.Sub(a.began), claimIn+2*late+soon, "%v: a read that was under way, and the claim", late)
			a.cancel()
			sleep(time.Minute) // the last call comes back
		})
	}
}

// While such a lock's renewal is under way nothing else is asked of it: a read that is sent
// as the answer comes would keep the next renewal waiting.
func TestARenewalOfAPlainLockIsNotLookedIntoBeforeItsBound(t *testing.T) {
	within(t, func(t *testing.T) {
		lock := &interfaceLock{memoryLock: newMemory().lock("a"), slowWrites: true}
		a := contend(t, onlyInterface{lock})
		sleep(5 * s)
		require.True(t, a.IsLeader())
		lock.mu.Lock()
		lock.delay = 20 * s
		lock.mu.Unlock()
		sleep(15 * s)
		assert.Equal(t, 2, a.why(t).Calls, "the write, and a read half a term later, when the write may take no longer")
		sleep(time.Minute) // the last call comes back
	})
}

// lateLock does everything late.
type lateLock struct {
	*memoryLock
	late time.Duration
}

func (l *lateLock) wait(ctx context.Context) error {
	select {
	case <-time.After(l.late):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (l *lateLock) Read(ctx context.Context) (rl.Snapshot, error) {
	if err := l.wait(ctx); err != nil {
		return rl.Snapshot{}, err
	}
	return l.memoryLock.Read(ctx)
}

func (l *lateLock) Write(ctx context.Context, base rl.Snapshot, next rl.Entry) (rl.Snapshot, error) {
	if err := l.wait(ctx); err != nil {
		return rl.Snapshot{}, err
	}
	return l.memoryLock.Write(ctx, base, next)
}

func TestAnAPIThatAnswersOneCallInFourKeepsItsLeader(t *testing.T) {
	within(t, func(t *testing.T) {
		m := newMemory()
		lock := m.lock("a")
		a := contend(t, lock)
		sleep(s)
		for range 50 { // silent for eight seconds of ten
			lock.with(func(l *memoryLock) { l.cut = true })
			sleep(8 * s)
			lock.with(func(l *memoryLock) { l.cut = false })
			sleep(2 * s)
		}
		assert.True(t, a.IsLeader())
		assert.Len(t, a.runs(), 1)
	})
}

// conflicted is a lock whose calls are counted while trouble lasts: the first
// write is committed and never answered, the first read fails late, the second at
// once, and what comes after is answered.
type conflicted struct {
	*memoryLock
	late time.Duration

	mu            sync.Mutex
	trouble       bool
	writes, reads int
	calls         []string
}

func (l *conflicted) count(n *int, what string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.trouble {
		return 0
	}
	*n++
	l.calls = append(l.calls, what)
	return *n
}

func (l *conflicted) Write(ctx context.Context, base rl.Snapshot, next rl.Entry) (rl.Snapshot, error) {
	n := l.count(&l.writes, "write")
	state, err := l.memoryLock.Write(ctx, base, next)
	if n == 1 {
		<-ctx.Done()
		return rl.Snapshot{}, ctx.Err()
	}
	return state, err
}

func (l *conflicted) Read(ctx context.Context) (rl.Snapshot, error) {
	switch l.count(&l.reads, "read") {
	case 1:
		sleep(l.late)
		return rl.Snapshot{}, errors.New("reset")
	case 2:
		return rl.Snapshot{}, errors.New("reset")
	}
	return l.memoryLock.Read(ctx)
}

func TestAConflictIsLookedIntoWhateverElseFailsMeanwhile(t *testing.T) {
	for late := 2 * s; late < 2*s+600*ms; late += 20 * ms { // about when the conflict comes
		within(t, func(t *testing.T) {
			m := newMemory()
			lock := &conflicted{memoryLock: m.lock("a"), late: late}
			a := contend(t, lock)
			sleep(3 * s)
			lock.mu.Lock()
			lock.trouble = true
			lock.mu.Unlock()
			sleep(20 * s)
			assert.Len(t, a.runs(), 1)
			assert.True(t, a.IsLeader())
			lock.mu.Lock()
			defer lock.mu.Unlock()
			second := 0
			for writes := 0; writes < 2; second++ {
				if lock.calls[second] == "write" {
					writes++
				}
			}
			assert.Equal(t, "read", lock.calls[second], "after the conflict, %v: %v", late, lock.calls[:second+1])
		})
	}
}

// What Tolerance calls survived for certain is, whatever the pauses that are drawn.
func TestAnOutageThatIsSurvivedForCertainIs(t *testing.T) {
	for seed := range uint64(50) {
		within(t, func(t *testing.T) {
			lock := newMemory().lock("a")
			cfg := config(lock)
			cfg.Callbacks = LeaderCallbacks{OnStartedLeading: func(ctx context.Context) { <-ctx.Done() }, OnStoppedLeading: func() {}}
			le, err := NewLeaderElector(cfg)
			require.NoError(t, err)
			dice := rand.New(rand.NewPCG(seed, 1))
			var mu sync.Mutex
			le.random = func() float64 { mu.Lock(); defer mu.Unlock(); return dice.Float64() }
			ctx, cancel := context.WithCancel(t.Context())
			ended := make(chan struct{})
			go func() { defer close(ended); le.Run(ctx) }()
			sleep(10*s + time.Duration(le.random()*float64(2*s)))
			term := le.Term()
			lock.with(func(l *memoryLock) { l.fail = errors.New("connection refused") })
			sleep(cfg.Tolerance().Outage)
			lock.with(func(l *memoryLock) { l.fail = nil })
			sleep(15 * s)
			assert.NoError(t, term.Err(), "seed %d", seed)
			cancel()
			<-ended
		})
	}
}
