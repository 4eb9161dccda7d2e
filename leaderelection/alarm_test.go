package leaderelection

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"k8s.io/klog/v2"
	clocktesting "k8s.io/utils/clock/testing"
)

// alarmed is a leadership whose loop does nothing, on a clock that the test moves, with
// what its work was told.
type alarmed struct {
	*leadership
	clock *sleeper
	told  []error
	end   context.CancelFunc
}

func newAlarmed(t *testing.T, releases bool) *alarmed {
	clk := &sleeper{FakeClock: clocktesting.NewFakeClock(epoch), boot: epoch}
	l := leadershipOf(t, func(c *LeaderElectionConfig) { c.Clock, c.ReleaseOnCancel = clk, releases })
	a := &alarmed{leadership: l, clock: clk}
	l.work, l.stopWork = &work{done: make(chan struct{})}, func(why error) { a.told = append(a.told, why) }
	var ctx context.Context
	ctx, a.end = context.WithCancel(t.Context())
	t.Cleanup(a.end)
	l.runCtx = ctx
	return a
}

// reasons returns why the work was told to stop, as often as it was told.
func (a *alarmed) reasons() (all []Reason) {
	for _, why := range a.told {
		all = append(all, why.(*TermEndedError).Reason)
	}
	return all
}

// step moves the clock, and lets happen what happens then.
func (a *alarmed) step(d time.Duration) {
	a.clock.Step(d)
	sleep(0)
}

func (a *alarmed) isRung() bool {
	select {
	case <-a.alarm.rang:
		return true
	default:
		return false
	}
}

func TestAnAlarmTellsTheWorkOfTheEndOfRunsContext(t *testing.T) {
	for releases, want := range map[bool]Reason{true: ReasonReleased, false: ReasonCancelled} {
		within(t, func(t *testing.T) {
			a := newAlarmed(t, releases)
			a.setAlarm(a.runCtx)
			a.end()
			sleep(0)
			assert.Equal(t, []Reason{want}, a.reasons())
			assert.False(t, a.isRung(), "the term goes on, so that the lease can be released")
			a.step(12 * s)
			assert.True(t, a.isRung())
			assert.Len(t, a.told, 1, "nothing is told twice")
			a.alarm.stop()
		})
	}
}

func TestAnAlarmRingsWhenTheTermIsOver(t *testing.T) {
	within(t, func(t *testing.T) {
		a := newAlarmed(t, true)
		a.setAlarm(a.runCtx)
		assert.Equal(t, 1, a.clock.Waiters())
		a.step(10 * s)
		a.term.extend(a.election.clock.now(), a.timing)
		a.alarm.ring()
		a.alarm.ring()
		assert.Equal(t, 1, a.clock.Waiters(), "one timer, however often it is set")
		a.step(12*s - 1)
		assert.Empty(t, a.told)
		a.step(1)
		assert.Equal(t, []Reason{ReasonRenewDeadline}, a.reasons())
		assert.True(t, a.isRung())
		assert.True(t, a.work.decided.Load(), "work that has not begun does not begin")
		a.alarm.ring()
		a.alarm.doubted()
		assert.Len(t, a.told, 1)
		assert.Zero(t, a.clock.Waiters())
		a.alarm.stop()
	})
}

func TestAnAlarmThatWasStoppedRingsNoMore(t *testing.T) {
	within(t, func(t *testing.T) {
		a := newAlarmed(t, true)
		a.setAlarm(a.runCtx)
		a.alarm.doubted()
		assert.Equal(t, 2, a.clock.Waiters())
		a.alarm.stop()
		assert.Zero(t, a.clock.Waiters())
		a.step(time.Minute)
		a.alarm.ring() // a timer that had fired
		a.alarm.doubted()
		assert.Empty(t, a.told)
		assert.False(t, a.isRung())
		assert.Zero(t, a.clock.Waiters())
	})
}

func TestAnAlarmEndsATermThatStaysInDoubt(t *testing.T) {
	within(t, func(t *testing.T) {
		for name, sleeps := range map[string]func(a *alarmed){
			"found later":        func(a *alarmed) { a.setAlarm(a.runCtx); a.clock.asleep = time.Minute; a.term.doubt(); a.term.doubt() },
			"found before it is": func(a *alarmed) { a.clock.asleep = time.Minute; a.term.doubt(); a.setAlarm(a.runCtx) },
		} {
			for _, settled := range []bool{true, false} {
				a := newAlarmed(t, true)
				a.term.doubted = make(chan struct{}, 1)
				sleeps(a)
				assert.Equal(t, 2, a.clock.Waiters(), name)
				a.step(4*decideDoubt - 1)
				assert.Empty(t, a.told, name)
				if settled {
					a.term.extend(a.election.clock.now(), a.timing)
				}
				a.step(1)
				if settled {
					assert.Empty(t, a.told, name)
					a.alarm.doubted()
					assert.Equal(t, 2, a.clock.Waiters(), "%s: the next doubt is another", name)
				} else {
					assert.Equal(t, []Reason{ReasonInDoubt}, a.reasons(), name)
					assert.True(t, a.isRung(), name)
				}
				a.alarm.stop()
				assert.Zero(t, a.clock.Waiters(), name)
			}
		}
	})
}

func TestATermThatWasSleptThroughEndsInDoubt(t *testing.T) {
	a := newAlarmed(t, true)
	a.term.sent = later(0, 0)
	assert.Equal(t, ReasonRenewDeadline, a.lapsed(later(12*s, 0)).Reason)
	assert.Equal(t, ReasonRenewDeadline, a.lapsed(later(12*s, 2*s)).Reason, "no more than a retry period")
	assert.Equal(t, ReasonInDoubt, a.lapsed(later(12*s, 2*s+1)).Reason)
}

func TestTheWorkIsToldOnceAndOfTheFirstReason(t *testing.T) {
	for _, returned := range []bool{true, false} {
		a := newAlarmed(t, true)
		if returned {
			close(a.work.done)
		}
		first := a.endWork(&TermEndedError{Reason: ReasonTaken})
		assert.Equal(t, ReasonTaken, first.Reason)
		assert.Equal(t, returned, a.notice.returned)
		if !returned {
			close(a.work.done)
		}
		assert.Same(t, first, a.endWork(&TermEndedError{Reason: ReasonReleased}))
		assert.Equal(t, returned, a.notice.returned, "before it was told")
		assert.Equal(t, []Reason{ReasonTaken}, a.reasons())
	}
	a := newAlarmed(t, true)
	a.work = nil // none has begun
	a.endWork(&TermEndedError{Reason: ReasonTaken})
	assert.False(t, a.notice.returned)
}

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
				work := func(ctx context.Context) { <-ctx.Done(); told <- context.Cause(ctx); cancel() }
				le, ended := start(t, ctx, lock, work, func(c *LeaderElectionConfig) {
					c.ReleaseOnCancel = releases
					c.Trace = &Trace{TermEnded: func(_ *Term, ended *TermEndedError) { traced = ended.Reason }}
				})
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
		ctx, cancel := context.WithCancel(klog.NewContext(t.Context(), klog.New(sink)))
		defer cancel()
		work := func(ctx context.Context) { <-ctx.Done(); told <- time.Now() }
		le, ended := start(t, ctx, lock, work, func(c *LeaderElectionConfig) { c.Clock = clk })
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
