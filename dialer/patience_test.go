package dialer

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
)

func TestHedgesWaitForWhatAnswersTake(t *testing.T) {
	const hedge, most = 50 * ms, time.Second
	var p patience
	assert.Equal(t, hedge, p.delay(hedge, most, 0), "nothing was learned")
	for range 100 {
		p.answered(8*ms, hedge)
	}
	assert.Equal(t, hedge, p.delay(hedge, most, 0), "answers are quick")

	p.answered(time.Hour, hedge)
	assert.LessOrEqual(t, p.delay(hedge, most, 0), 3*hedge, "one late answer may be chance")
	for range 30 {
		p.answered(200*ms, hedge)
	}
	learned := p.delay(hedge, most, 0)
	assert.Greater(t, learned, 200*ms, "answers are slow, hedges would be too")
	assert.Less(t, learned, 400*ms)
	for range 100 {
		p.answered(2*time.Second, hedge)
	}
	assert.Equal(t, most, p.delay(hedge, most, 0), "there is time left in which a hedge may be answered")
	for range 60 {
		p.answered(8*ms, hedge)
	}
	assert.Equal(t, hedge, p.delay(hedge, most, 0), "and quick again")
	assert.Equal(t, 2*most, p.delay(2*most, most, 0), "never sooner than was asked for")
}

func TestHedgesStandBackWhereThisProcessIsLate(t *testing.T) {
	const hedge, most = 100 * ms, time.Second
	var p patience
	assert.Equal(t, hedge, p.delay(hedge, most, 9*ms), "a little late is no sign")
	assert.Equal(t, hedge+4*90*ms, p.delay(hedge, most, 90*ms))
	assert.Equal(t, most, p.delay(hedge, most, time.Minute))
}

func TestLatenessIsRememberedForSeconds(t *testing.T) {
	var l lateness
	start := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	at := func(d time.Duration) time.Time { return start.Add(d) }
	assert.Zero(t, l.now(start))
	l.fired(start, at(80*ms))
	assert.Equal(t, 80*ms, l.now(at(100*ms)))
	l.fired(at(100*ms), at(110*ms))
	assert.Equal(t, 80*ms, l.now(at(200*ms)), "one timer in time says little")
	l.fired(at(200*ms), at(300*ms))
	assert.Equal(t, 100*ms, l.now(at(300*ms)))
	assert.Equal(t, 50*ms, l.now(at(1300*ms)))
	assert.Zero(t, l.now(at(time.Minute)))
	assert.Zero(t, l.now(at(-time.Hour)), "another clock")
	l.fired(at(time.Hour), at(time.Minute))
	assert.Zero(t, l.now(at(time.Minute)), "too soon is not late")
}

// A hedge that falls due late is not sent on the spot: the answer may have come.
func TestALateHedgeIsThoughtOfAgain(t *testing.T) {
	c := oneCall()
	now := time.Now()
	c.bound, c.span = 10*time.Second, &span{start: now.Add(-2 * time.Second), end: now.Add(8 * time.Second)}
	c.repeatable, c.looked = true, now.Add(-1500*ms)
	c.due = now.Add(-time.Second) // it is a second late
	before := process.now(now)
	assert.NoError(t, c.look(t.Context()))
	assert.GreaterOrEqual(t, process.now(time.Now()), max(before, time.Second))
	assert.Len(t, c.attempts, 1)
	process = lateness{}
}
