package leaderelection

import (
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	clocktesting "k8s.io/utils/clock/testing"

	rl "github.com/holdfast-go/holdfast/resourcelock"
)

// recorderLock is a lock whose recorder of events does what it is told to.
type recorderLock struct {
	*memoryLock
	record func(event string)
}

func (l recorderLock) RecordEvent(event string) { l.record(event) }

func TestARecorderThatBlocksHoldsUpNothing(t *testing.T) {
	within(t, func(t *testing.T) {
		stuck := make(chan struct{})
		t.Cleanup(func() { close(stuck) })
		m := newMemory()
		a := contend(t, recorderLock{m.lock("a"), func(string) { <-stuck }}, givesUp)
		sleep(soon)
		require.Len(t, a.runs(), 1, "the work begins")
		sleep(time.Minute)
		require.True(t, a.IsLeader(), "and the lease is renewed")
		a.cancel()
		sleep(soon)
		assert.False(t, a.runs()[0].cancelled.IsZero(), "cancel is heard")
		assert.Empty(t, m.now().Record.HolderIdentity, "and the lease released")
		sleep(flushEvents)
		assert.False(t, a.stoppedAt().IsZero(), "Run returns")
	})
}

// client-go's FakeRecorder blocks when its buffer is full, and a test's clock moves
// only when the test steps it.
func TestARecorderThatBlocksDoesNotHoldUpRunOnAClockThatStands(t *testing.T) {
	within(t, func(t *testing.T) {
		stuck := make(chan struct{})
		t.Cleanup(func() { close(stuck) })
		lock := recorderLock{newMemory().lock("a"), func(string) { <-stuck }}
		a := contend(t, lock, func(c *LeaderElectionConfig) {
			c.Clock = clocktesting.NewFakeClock(epoch)
			c.Trace = &Trace{TermBegan: func(*Term, Succession) { <-stuck }}
		})
		sleep(s)
		require.True(t, a.IsLeader())
		a.cancel()
		sleep(s)
		assert.False(t, a.stoppedAt().IsZero(), "Run returns")
	})
}

func TestARecorderThatPanicsCostsItsEventAndIsSaid(t *testing.T) {
	within(t, func(t *testing.T) {
		said, le := listen(t, recorderLock{newMemory().lock("a"), func(event string) { panic("no recorder for " + event) }}, time.Minute)
		assert.Equal(t, 2, strings.Count(said, "The recorder of events panicked"), said)
		assert.Contains(t, said, "no recorder for became leader")
		var ended *TermEndedError
		require.ErrorAs(t, le.Term().Err(), &ended)
		assert.Equal(t, ReasonCancelled, ended.Reason, "it led until then")
	})
}

func TestTheRecorderHasHeardOfATermWhenRunReturns(t *testing.T) {
	within(t, func(t *testing.T) {
		var events []string // no other goroutine writes when Run has returned
		lock := recorderLock{newMemory().lock("a"), func(event string) { time.Sleep(10 * ms); events = append(events, event) }}
		listen(t, lock, s)
		assert.Equal(t, []string{"became leader", "stopped leading: Cancelled"}, events)
	})
}

func TestOnNewLeaderThatBlocksIsTheLastToKnowAndKnowsTheNewest(t *testing.T) {
	within(t, func(t *testing.T) {
		m := newMemory()
		m.edit(func(s *rl.Snapshot) { *s = held("h0", "", 0, time.Hour) })
		stuck := make(chan struct{})
		var told []string // by one call at a time
		a := contend(t, m.lock("a"), func(c *LeaderElectionConfig) {
			c.Callbacks.OnNewLeader = func(holder string) { <-stuck; told = append(told, holder) }
		})
		sleep(soon)
		const many = 1000
		for i := 1; i <= many; i++ {
			m.edit(takenBy(fmt.Sprintf("h%d", i)))
			sleep(ms)
		}
		a.reports.queue.mu.Lock()
		waiting := len(a.reports.queue.waiting)
		a.reports.queue.mu.Unlock()
		assert.LessOrEqual(t, waiting, mostCallsWaiting)
		close(stuck)
		sleep(ms)
		assert.Len(t, told, 1+mostCallsWaiting)
		assert.Equal(t, "h0", told[0], "the call that was stuck")
		assert.Equal(t, fmt.Sprintf("h%d", many), told[len(told)-1], "the newest")

		m.edit(takenBy("last"))
		sleep(ms)
		assert.Equal(t, "last", told[len(told)-1])
	})
}

func TestOnNewLeaderIsNotToldTheSameHolderTwice(t *testing.T) {
	within(t, func(t *testing.T) {
		m := newMemory()
		m.edit(func(s *rl.Snapshot) { *s = held("x", "", 0, time.Hour) })
		stuck := make(chan struct{})
		var told []string
		contend(t, m.lock("a"), func(c *LeaderElectionConfig) {
			c.Callbacks.OnNewLeader = func(holder string) { <-stuck; told = append(told, holder) }
		})
		for i := range 2*mostCallsWaiting + 1 { // x is told; of what waits, x comes first
			sleep(ms)
			m.edit(takenBy([]string{"y", "x"}[i%2]))
		}
		sleep(ms)
		close(stuck)
		sleep(ms)
		require.NotEmpty(t, told)
		for i := range told[1:] {
			assert.NotEqual(t, told[i], told[i+1])
		}
		assert.Equal(t, "y", told[len(told)-1])
	})
}

func TestACallbackThatEndsItsGoroutineIsCalledAgain(t *testing.T) {
	within(t, func(t *testing.T) {
		m := newMemory()
		m.edit(func(s *rl.Snapshot) { *s = held("x", "", 0, time.Hour) })
		var saw []string
		contend(t, m.lock("a"), func(c *LeaderElectionConfig) {
			c.Callbacks.OnNewLeader = func(id string) {
				saw = append(saw, id)
				runtime.Goexit() // as a test's FailNow does
			}
		})
		sleep(ms)
		m.edit(takenBy("y"))
		sleep(ms)
		assert.Equal(t, []string{"x", "y"}, saw)
	})
}

// client-go does not call OnNewLeader at a release either: its holder is not told,
// and a candidate that takes the lease is told of itself.
func TestAReleaseIsNoNewLeader(t *testing.T) {
	within(t, func(t *testing.T) {
		m := newMemory()
		a := contend(t, m.lock("a"), givesUp)
		sleep(s)
		b := contend(t, m.lock("b"))
		sleep(s)
		a.cancel()
		sleep(5 * s)
		require.True(t, b.IsLeader())
		a.mu.Lock()
		defer a.mu.Unlock()
		b.mu.Lock()
		defer b.mu.Unlock()
		assert.Equal(t, []string{"a"}, a.leaders)
		assert.Equal(t, []string{"a", "b"}, b.leaders)
	})
}
