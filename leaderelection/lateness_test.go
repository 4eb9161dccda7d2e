package leaderelection

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
)

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
		assert.Equal(t, want.next, timing.next(took), "next after %v", took)
		assert.Equal(t, want.patience, timing.patience(took), "patience after %v", took)
		sent := max(took, timing.next(took)) // one answer is waited for before the next is asked for
		assert.LessOrEqual(t, sent+took, timing.term(), "answers of %v come in time", took)
	}
}
