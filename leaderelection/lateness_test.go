package leaderelection

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"k8s.io/utils/clock"

	rl "github.com/holdfast-go/holdfast/resourcelock"
)

// A process that is short of CPU is late to hear, too: what it asks for once more
// has often been answered.
func TestALateCandidateAsksLess(t *testing.T) {
	for late, atMost := range map[time.Duration]int{0: 24, 500 * ms: 13} {
		within(t, func(t *testing.T) {
			m := newMemory()
			a := contend(t, m.lock("a"))
			sleep(s)
			standby := m.lock("b")
			standby.deaf = true
			b := contend(t, standby, func(c *LeaderElectionConfig) { c.Clock = lateClock{clock.RealClock{}, late} })
			sleep(20 * s)
			before := standby.readCount()
			sleep(time.Minute)
			assert.InDelta(t, atMost, standby.readCount()-before, 1, "late by %v", late)
			a.cancel()
			sleep(30 * s)
			assert.True(t, b.IsLeader())
		})
	}
}

// Nor does it look into a claim that may be answered yet.
func TestALateCandidateWaitsForTheAnswerToItsClaim(t *testing.T) {
	for late, reads := range map[time.Duration]int{0: 1, 500 * ms: 0} {
		within(t, func(t *testing.T) {
			m := newMemory()
			m.edit(func(state *rl.Snapshot) { *state = held("other", "", 0, 15*s) })
			lock := m.lock("b")
			lock.deaf, lock.late = true, 3*s
			b := contend(t, lock, func(c *LeaderElectionConfig) { c.Clock = lateClock{clock.RealClock{}, late} })
			sleep(15*s + 700*ms) // the claim is on its way
			before := lock.readCount()
			sleep(2900 * ms)
			require.Len(t, b.runs(), 1)
			assert.Equal(t, reads, lock.readCount()-before, "late by %v", late)
		})
	}
}

func TestWhoIsLateHasPatience(t *testing.T) {
	timing := timing{lease: 15 * s, deadline: 10 * s, retry: 2 * s} // a term of 12s
	var l lateness
	assert.Zero(t, l.patience(timing))
	l.fired(100*ms, timing)
	assert.Zero(t, l.patience(timing), "a moment is chance")
	l.fired(s, timing)
	assert.Equal(t, 4*s, l.patience(timing))
	l.fired(0, timing)
	assert.Equal(t, 2*s, l.patience(timing), "what was seen before counts for half")
	l.fired(5*s, timing)
	assert.Equal(t, 6*s, l.patience(timing), "half a term at most")
	l.fired(time.Minute, timing)
	assert.Equal(t, 6*s, l.patience(timing), "one that was stopped has learned nothing by it")
	for range 10 {
		l.fired(6*s, timing)
	}
	assert.Zero(t, l.patience(timing), "nor has one that is stopped again and again")
}

func TestSlowAnswersAreWaitedFor(t *testing.T) {
	timing := timing{lease: 15 * s, deadline: 10 * s, retry: 2 * s} // a term of 12s
	for took, want := range map[time.Duration]struct{ next, patience time.Duration }{
		0:        {2 * s, 2 * s},
		500 * ms: {2 * s, 2 * s},
		600 * ms: {2600 * ms, 2 * s},
		2 * s:    {4 * s, 4 * s},
		3 * s:    {5 * s, 6 * s},
		4 * s:    {4 * s, 6 * s},
		5 * s:    {2 * s, 6 * s},
		6 * s:    {2 * s, 6 * s},
	} {
		assert.Equal(t, want.next, timing.nextRenewal(took), "next after %v", took)
		assert.Equal(t, want.patience, timing.patience(took), "patience after %v", took)
		sent := max(took, timing.nextRenewal(took)) // one answer is waited for before the next is asked for
		assert.LessOrEqual(t, sent+took, timing.term(), "answers of %v come in time", took)
	}
}

// Whatever the last answer took, one that takes nearly half a term comes in time.
func TestTheNextRenewalIsNeverLaterThanHalfATerm(t *testing.T) {
	for _, timing := range []timing{{15 * s, 10 * s, 2 * s}, {15 * s, 10 * s, 4 * s}, {15 * s, 10 * s, 5 * s}, {15 * s, 10 * s, 8 * s}, {60 * s, 40 * s, 16 * s}, {3 * s, 2 * s, 500 * ms}} {
		for took := time.Duration(0); took < timing.term(); took += 10 * ms {
			assert.LessOrEqual(t, timing.nextRenewal(took), timing.term()/2, "%v after %v", timing, took)
		}
	}
}
