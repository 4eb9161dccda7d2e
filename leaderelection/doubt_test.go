package leaderelection

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"k8s.io/utils/clock"
	clocktesting "k8s.io/utils/clock/testing"

	rl "github.com/holdfast-go/holdfast/resourcelock"
)

// noted is a timer that notes what it is set to.
type noted struct {
	clock.Timer
	set     time.Duration
	stopped bool
}

func (n *noted) Reset(d time.Duration) bool { n.set, n.stopped = d, false; return true }
func (n *noted) Stop() bool                 { n.set, n.stopped = 0, true; return true }

// doubting is a leadership without its loop, last renewed at epoch, whose timers are
// noted. An attempt to renew is under way, so that none begins.
type doubting struct {
	*alarmed
	compared, doubts *noted
}

func newDoubting(t *testing.T) *doubting {
	d := &doubting{alarmed: newAlarmed(t, true), compared: &noted{}, doubts: &noted{}}
	d.compare, d.doubt, d.clocks = d.compared, d.doubts, &clockWatch{}
	d.renewals, d.hurry, d.stopRenewing = make(chan outcome, 1), make(chan struct{}, 1), func() {}
	d.renewing = true
	d.renewals <- outcome{} // what over waits for
	return d
}

func (d *doubting) at(steady, slept time.Duration) {
	d.clock.SetTime(epoch.Add(steady))
	d.clock.asleep = slept
}

func TestClocksAreComparedAgainWhereNobodyTellsOrTheyHaveLeapt(t *testing.T) {
	d := newDoubting(t)
	d.at(s, 0)
	d.compareTimes()
	assert.Zero(t, d.compared.set, "a watch tells")
	d.at(s, leap+1)
	d.compareTimes()
	assert.Equal(t, compareClocks, d.compared.set, "they have leapt")

	d = newDoubting(t)
	d.clocks = nil
	d.at(s, 0)
	d.compareTimes()
	assert.Equal(t, compareClocks, d.compared.set, "nobody tells")

	d = newDoubting(t)
	d.clocks, d.election.clock = nil, timepiece{clocktesting.NewFakeClock(epoch.Add(s))}
	d.term.sent = instant{mono: epoch, wall: epoch}
	d.compareTimes()
	assert.Zero(t, d.compared.set, "they cannot leap")
}

func TestATermIsInDoubtFromALeapOnAndItsEndForeseenFromAShorterOne(t *testing.T) {
	for name, test := range map[string]struct {
		steady, slept     time.Duration
		before            func(*doubting)
		inDoubt, foreseen bool
		doubt             time.Duration // what its timer is set to
		hurries, over     bool
	}{
		"nothing has leapt":                {steady: s},
		"a short leap":                     {steady: s, slept: 4 * s, foreseen: true, doubt: 7 * s},
		"to a moment before the end":       {steady: s, slept: 11*s - 1, foreseen: true, doubt: 1},
		"to the end":                       {steady: s, slept: 11 * s, inDoubt: true, doubt: decideDoubt, hurries: true},
		"far beyond":                       {steady: s, slept: time.Hour, inDoubt: true, doubt: decideDoubt, hurries: true},
		"it was in doubt before":           {steady: s, slept: time.Hour, before: func(d *doubting) { d.inDoubt = true }, inDoubt: true},
		"the end that was foreseen":        {steady: 8 * s, slept: 4 * s, before: func(d *doubting) { d.foreseen = true }, over: true},
		"a moment late":                    {steady: 8*s + compareClocks - 1, slept: 4 * s, before: func(d *doubting) { d.foreseen = true }, over: true},
		"a further leap beyond it":         {steady: 8*s + compareClocks, slept: 4 * s, before: func(d *doubting) { d.foreseen = true }, inDoubt: true, doubt: decideDoubt, hurries: true},
		"foreseen, and before it":          {steady: 8*s - 1, slept: 4 * s, before: func(d *doubting) { d.foreseen = true }, foreseen: true, doubt: 1},
		"foreseen, and then renewed":       {steady: s, before: func(d *doubting) { d.foreseen = true }},
		"over by every clock, never leapt": {steady: 12 * s, inDoubt: true, doubt: decideDoubt, hurries: true},
	} {
		d := newDoubting(t)
		d.at(test.steady, test.slept)
		if test.before != nil {
			test.before(d)
		}
		d.compareTimes()
		if test.over {
			assert.Equal(t, []Reason{ReasonInDoubt}, d.reasons(), name)
			continue
		}
		assert.Empty(t, d.told, name)
		assert.Equal(t, test.inDoubt, d.inDoubt, name)
		assert.Equal(t, test.foreseen, d.foreseen, name)
		assert.Equal(t, test.doubt, d.doubts.set, name)
		assert.Equal(t, !test.inDoubt && !test.foreseen, d.doubts.stopped, name)
		assert.Equal(t, test.hurries, len(d.hurry) == 1, name)
	}
}

// By the fastest clock a renewal is due as by any other.
func TestARenewalIsBegunWhenTheFastestClockSaysSo(t *testing.T) {
	for _, test := range []struct {
		slept time.Duration
		want  bool
	}{{2*s - ms - 1, false}, {2*s - ms, true}, {time.Hour, true}} {
		within(t, func(t *testing.T) {
			d := newDoubting(t)
			<-d.renewals
			d.renewing, d.renewCtx = false, t.Context()
			d.goal = d.newGoal(claim("a", rl.Snapshot{}, 15*s, epoch, 0))
			d.attempt = d.newAttempt()
			d.at(ms, test.slept)
			d.compareTimes()
			require.Equal(t, test.want, d.renewing, "slept %v", test.slept)
			if d.renewing {
				assert.True(t, (<-d.renewals).done)
			}
		})
	}
}

func TestADoubtThatIsNotSettledEndsTheTerm(t *testing.T) {
	for name, test := range map[string]struct {
		steady, slept time.Duration
		foreseen      bool
		over, doubted bool
	}{
		"it lasts":                     {steady: s, slept: time.Hour, over: true},
		"it was settled":               {steady: s},
		"the end was foreseen":         {steady: 8 * s, slept: 4 * s, foreseen: true, over: true},
		"and a further leap passed it": {steady: 8 * s, slept: time.Hour, foreseen: true, doubted: true},
	} {
		d := newDoubting(t)
		d.foreseen = test.foreseen
		d.at(test.steady, test.slept)
		d.doubtOver()
		assert.Equal(t, test.over, len(d.told) == 1, name)
		assert.Equal(t, test.doubted, d.inDoubt, "%s: a renewal is to decide", name)
	}
}
