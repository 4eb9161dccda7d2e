package leaderelection

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	rl "github.com/holdfast-go/holdfast/resourcelock"
)

// noting is a lock that notes when it is called, and does with writes, and reads,
// as a test says from some moment on.
type noting struct {
	*memoryLock
	mu          sync.Mutex
	began       time.Time
	calls       []notedCall
	underway    int
	write, read func(ctx context.Context) error
}

type notedCall struct {
	what string
	at   time.Duration // since from was called
}

// from begins to note, and does with every call what write and read say.
func (l *noting) from(write, read func(ctx context.Context) error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.began, l.calls, l.write, l.read = time.Now(), nil, write, read
}

func (l *noting) note(ctx context.Context, what string) error {
	l.mu.Lock()
	l.calls = append(l.calls, notedCall{what, time.Since(l.began)})
	l.underway++
	f := l.write
	if what == "read" {
		f = l.read
	}
	l.mu.Unlock()
	defer func() { l.mu.Lock(); defer l.mu.Unlock(); l.underway-- }()
	if f != nil {
		return f(ctx)
	}
	return nil
}

func (l *noting) noted() []notedCall {
	l.mu.Lock()
	defer l.mu.Unlock()
	return append([]notedCall(nil), l.calls...)
}

// waiting returns how many calls are under way.
func (l *noting) waiting() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.underway
}

func (l *noting) Read(ctx context.Context) (rl.Snapshot, error) {
	if err := l.note(ctx, "read"); err != nil {
		return rl.Snapshot{}, err
	}
	return l.memoryLock.Read(ctx)
}

func (l *noting) Write(ctx context.Context, base rl.Snapshot, next rl.Entry) (rl.Snapshot, error) {
	if err := l.note(ctx, "write"); err != nil {
		return rl.Snapshot{}, err
	}
	return l.memoryLock.Write(ctx, base, next)
}

func fails(err error) func(context.Context) error { return func(context.Context) error { return err } }

func hangs(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }

// leading returns a lock and its leader, right after a renewal.
func leading(t *testing.T, changes ...func(*LeaderElectionConfig)) (*noting, *contender) {
	t.Helper()
	lock := &noting{memoryLock: newMemory().lock("a"), began: time.Now()}
	a := contend(t, lock, changes...)
	sleep(4 * s)
	require.True(t, a.IsLeader())
	return lock, a
}

// A refusal says that nothing was written, so only the first of them is looked
// into: its answer may belong to a write that was sent twice. The pauses double
// from an eighth of the retry period.
func TestARenewalThatIsRefusedIsTriedAgainAtAPaceThatSlowsDown(t *testing.T) {
	for name, refusal := range map[string]error{
		"400": apierrors.NewBadRequest("no"),
		"500": apierrors.NewInternalError(errors.New("etcdserver: leader changed")),
	} {
		t.Run(name, func(t *testing.T) {
			within(t, func(t *testing.T) {
				lock, a := leading(t)
				lock.from(fails(refusal), nil)
				sleep(11 * s)
				var writes []time.Duration
				reads := 0
				for _, call := range lock.noted() {
					if call.what == "read" {
						reads++
					} else {
						writes = append(writes, call.at-2*s) // the renewal is due then
					}
				}
				assert.Equal(t, 1, reads, "only the first is looked into: %v", lock.noted())
				assert.Equal(t, []time.Duration{0, 0, 250 * ms, 750 * ms, 1750 * ms, 3750 * ms, 5750 * ms, 7750 * ms}, writes[:8])
				a.cancel()
			})
		})
	}
}

// A write that somebody was faster than is not sent again on the state that is gone.
func TestAConflictIsReadBeforeTheNextWrite(t *testing.T) {
	within(t, func(t *testing.T) {
		lock, a := leading(t)
		lock.from(nil, nil)
		lock.edit(func(state *rl.Snapshot) { state.Record.LeaderTransitions++ })
		sleep(3 * s)
		var what []string
		for _, call := range lock.noted() {
			what = append(what, call.what)
		}
		assert.Equal(t, []string{"write", "read", "write"}, what)
		assert.True(t, a.IsLeader())
		a.cancel()
	})
}

// What a lost term knows of the record is old, and a release on it would be refused.
func TestALostTermsRecordIsReadBeforeItIsReleased(t *testing.T) {
	within(t, func(t *testing.T) {
		lock, a := leading(t, func(c *LeaderElectionConfig) { c.ReleaseOnCancel = true })
		lock.from(hangs, hangs)
		a.takesToStop(100 * ms)
		sleep(12*s + 50*ms) // the last renewal was just sent
		require.False(t, a.IsLeader())
		lock.from(nil, nil)
		sleep(s)
		var what []string
		for _, call := range lock.noted() {
			what = append(what, call.what)
		}
		assert.Equal(t, []string{"read", "write"}, what)
		assert.Empty(t, lock.now().Record.HolderIdentity)
	})
}

func TestCallsThatNobodyAnswersMakeWayForNewOnes(t *testing.T) {
	within(t, func(t *testing.T) {
		lock, a := leading(t, func(c *LeaderElectionConfig) {
			c.LeaseDuration, c.RenewDeadline, c.RetryPeriod = time.Minute, 40*s, 500*ms
		})
		lock.from(hangs, hangs)
		most := 0
		for range 300 {
			sleep(100 * ms)
			most = max(most, lock.waiting())
		}
		assert.Equal(t, mostUnderway, most)
		calls := lock.noted()
		last := calls[len(calls)-1].at
		assert.Greater(t, last, 28*s, "a new one is always tried")
		lock.from(nil, nil)
		sleep(4 * s)
		assert.True(t, a.IsLeader())
		a.cancel()
	})
}

// A short retry period is how soon a renewal is looked into for the first time;
// once a look has shown nothing the API is slow, and the next looks are a second
// apart.
func TestARenewalIsLookedIntoAfterARetryPeriodAndThenLessOften(t *testing.T) {
	within(t, func(t *testing.T) {
		lock, a := leading(t, func(c *LeaderElectionConfig) { c.RetryPeriod = 500 * ms })
		lock.from(hangs, nil)
		sleep(4 * s)
		var looks []time.Duration
		for _, call := range lock.noted() {
			if call.what == "read" {
				looks = append(looks, call.at)
			}
		}
		require.GreaterOrEqual(t, len(looks), 3)
		assert.Equal(t, s, looks[0], "the renewal was due half a second after the last")
		assert.Equal(t, s, looks[1]-looks[0])
		assert.Equal(t, s, looks[2]-looks[1])
		a.cancel()
	})
}

// A panic of the lock is raised in Run's goroutine at once, and not when the term
// has ended for want of an answer.
func TestAPanicOfTheLockInARenewalIsRaisedAtOnce(t *testing.T) {
	within(t, func(t *testing.T) {
		lock := &noting{memoryLock: newMemory().lock("a"), began: time.Now()}
		c := config(lock)
		worked := make(chan time.Time, 1)
		c.Callbacks = LeaderCallbacks{
			OnStartedLeading: func(ctx context.Context) { <-ctx.Done(); worked <- time.Now() },
			OnStoppedLeading: func() {},
		}
		le, err := NewLeaderElector(c)
		require.NoError(t, err)
		le.random = func() float64 { return 0 }
		raised := make(chan any, 1)
		go func() {
			defer func() { raised <- recover() }()
			le.Run(t.Context())
		}()
		sleep(s)
		require.True(t, le.IsLeader())
		lock.from(func(context.Context) error { panic("of the lock") }, nil)
		sleep(1500 * ms) // the renewal comes after another second
		select {
		case reason := <-raised:
			assert.Contains(t, fmt.Sprint(reason), "of the lock")
		default:
			t.Fatal("Run goes on")
		}
		<-worked
	})
}
