package leaderelection

import (
	"fmt"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"k8s.io/utils/clock"
	testingclock "k8s.io/utils/clock/testing"
)

// watched is a clock of a machine that can be suspended, and that a watch reads
// for every term.
type watched struct {
	suspending
	watch *clockWatch
}

func watchedBy(clk suspending) watched {
	return watched{clk, &clockWatch{clock: timepiece{clk}}}
}

// countingClock counts how often a clock is read.
type countingClock struct {
	suspending
	reads *atomic.Int64
}

func (c countingClock) SinceBoot() time.Duration {
	c.reads.Add(1)
	return c.suspending.SinceBoot()
}

func TestManyTermsWakeNobodyToCompareTheClocks(t *testing.T) {
	within(t, func(t *testing.T) {
		const terms = 50
		reads := new(atomic.Int64)
		clk := suspending{began: time.Now(), asleep: new(atomic.Int64)}
		shared := watched{clk, &clockWatch{clock: timepiece{countingClock{clk, reads}}}}
		var all []*contender
		for i := range terms {
			all = append(all, contend(t, newMemory().lock(fmt.Sprint(i)), func(c *LeaderElectionConfig) { c.Clock = shared }))
		}
		sleep(s)
		for _, c := range all {
			require.True(t, c.IsLeader())
		}
		reads.Store(0)
		sleep(time.Minute)
		assert.InDelta(t, time.Minute/compareClocks, reads.Load(), 1, "one comparison for all")
		clk.asleep.Add(int64(time.Hour))
		sleep(100 * ms)
		for _, c := range all {
			assert.True(t, c.IsLeader(), "each was told, and has renewed")
		}
		for _, c := range all {
			c.cancel()
			<-c.ended
		}
		reads.Store(0)
		sleep(time.Minute)
		assert.Zero(t, reads.Load(), "it ends with the last term")
	})
}

// TestALeapThatCostsNothingYetIsFollowedUp: a suspension that is shorter than
// the term brings its end forward.
func TestALeapThatCostsNothingYetIsFollowedUp(t *testing.T) {
	within(t, func(t *testing.T) {
		lock := newMemory().lock("a")
		clk := suspending{began: time.Now(), asleep: new(atomic.Int64)}
		a := contend(t, lock, func(c *LeaderElectionConfig) { c.Clock = watchedBy(clk) })
		sleep(4*s + ms)
		lock.with(func(l *memoryLock) { l.cut = true })
		sent := a.Term().lastSent()
		clk.asleep.Add(int64(5 * s))
		sleep(10 * s)
		require.Len(t, a.runs(), 1)
		length := a.Term().length
		assert.WithinDuration(t, sent.mono.Add(length-5*s), a.runs()[0].cancelled, 100*ms)
	})
}

// TestALeapIsOneOfAnyClockInAnyDirection: what a term counts from may
// lie between the two.
func TestALeapIsOneOfAnyClockInAnyDirection(t *testing.T) {
	was := instant{mono: epoch, boot: time.Hour, wall: epoch}
	at := func(mono, boot, wall time.Duration) instant {
		return instant{mono: epoch.Add(mono), boot: time.Hour + boot, wall: epoch.Add(wall)}
	}
	assert.False(t, at(s, s, s).leapt(was))
	assert.False(t, at(s, s+4*ms, s-4*ms).leapt(was), "read one after another")
	assert.True(t, at(s, 2*s, s).leapt(was), "suspended")
	assert.True(t, at(s, s, time.Minute).leapt(was), "set forward")
	assert.True(t, at(s, s, -time.Minute).leapt(was), "set back: it may be set forward again")
	none := instant{mono: epoch, wall: epoch}
	assert.False(t, instant{mono: epoch.Add(s), wall: epoch.Add(s)}.leapt(none), "no clock counts suspension")
}

func onRealClock(c *LeaderElectionConfig) { c.Clock = realClock{} }

func TestTheRealClocksAreWatchedOnceForTheProcess(t *testing.T) {
	watches := func() int {
		stacks := make([]byte, 1<<20)
		return strings.Count(string(stacks[:runtime.Stack(stacks, true)]), "clockWatch).run(")
	}
	var all []*contender
	for range 5 {
		all = append(all, contend(t, newMemory().lock("a"), onRealClock))
	}
	for _, c := range all {
		require.Eventually(t, c.IsLeader, 10*s, ms)
	}
	assert.Eventually(t, func() bool { return watches() > 0 }, 10*s, ms, "it begins a moment after the first term")
	assert.Equal(t, 1, watches())
	within(t, func(t *testing.T) { // whose time is its own
		c := contend(t, newMemory().lock("a"), onRealClock)
		sleep(10 * s)
		assert.True(t, c.IsLeader())
		assert.Nil(t, c.leader.clocks())
	})
	for _, c := range all {
		c.cancel()
		<-c.ended
	}
	assert.Eventually(t, func() bool { return watches() == 0 }, 10*s, ms)
}

func TestClocksMayLeapWhereThereIsMoreThanOne(t *testing.T) {
	assert.True(t, timepiece{clock.RealClock{}}.mayLeap())
	assert.True(t, timepiece{suspending{}}.mayLeap(), "it tells the time since boot")
	assert.False(t, timepiece{testingclock.NewFakeClock(epoch)}.mayLeap(), "it has no monotonic reading")
	assert.True(t, timepiece{testingclock.NewFakeClock(time.Now())}.mayLeap(), "the wall clock is another")
}
