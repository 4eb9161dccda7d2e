package leaderelection

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	clocktesting "k8s.io/utils/clock/testing"
)

// later is the moment so long after epoch by a steady clock, when the machine has slept
// for a while as well.
func later(steady, slept time.Duration) instant {
	return instant{mono: epoch.Add(steady), boot: steady + slept, wall: epoch.Add(steady + slept)}
}

// ofTwelveSeconds returns a term that began at epoch, and which others wait 15 s for.
func ofTwelveSeconds() *Term {
	of := timing{15 * s, 10 * s, 2 * s}
	return &Term{lock: "test/it", sent: later(0, 0), length: of.term(), holds: of.lease, doubted: make(chan struct{}, 1), done: make(chan struct{})}
}

func TestATermIsOverBySteadyClocksAndInDoubtByFasterOnes(t *testing.T) {
	for _, c := range []struct {
		steady, slept time.Duration
		over, doubt   bool
		says          string
	}{
		{steady: 0},
		{steady: 12*s - 1},
		{steady: 12 * s, over: true, says: "is over, 12s after its last renewal"},
		{steady: 6 * s, slept: 6*s - 1},
		{steady: 6 * s, slept: 6 * s, doubt: true, says: "is in doubt: the machine's clocks differ by 6s"},
		{steady: s, slept: time.Hour, doubt: true, says: "the machine's clocks differ by 1h0m0s"},
		{steady: 12 * s, slept: time.Hour, over: true, says: "is over"},
	} {
		term, now := ofTwelveSeconds(), later(c.steady, c.slept)
		doubtful, err := term.state(now)
		assert.Equal(t, c.doubt, doubtful, "%+v", c)
		if c.says == "" {
			assert.NoError(t, err, "%+v", c)
		} else {
			assert.ErrorContains(t, err, c.says, "%+v", c)
			assert.ErrorIs(t, err, ErrNotLeader, "%+v", c)
		}
		assert.Equal(t, c.over || c.doubt, term.inDoubt(now), "%+v", c)
		assert.Equal(t, 12*s-c.steady, term.rest(now), "%+v", c)
		assert.Equal(t, 12*s-c.steady-c.slept, term.fastRest(now), "%+v", c)
		assert.Equal(t, c.steady+c.slept-15*s, term.outlived(now), "others may lead from zero on: %+v", c)

		rest, lapsed := term.lapse(now.monoSince)
		assert.Equal(t, 12*s-c.steady, rest, "%+v", c)
		assert.Equal(t, c.over, lapsed, "%+v", c)
		_, lapsed = ofTwelveSeconds().lapse(now.fastestSince)
		assert.Equal(t, c.over || c.doubt, lapsed, "%+v", c)
	}
}

// What its work was told is not taken back.
func TestATermThatHasLapsedIsProlongedByNothing(t *testing.T) {
	for name, lapse := range map[string]func(*Term) bool{
		"by the steady clock": func(t *Term) bool { _, lapsed := t.lapse(later(12*s, 0).monoSince); return lapsed },
		"in doubt":            func(t *Term) bool { _, lapsed := t.lapse(later(s, time.Hour).fastestSince); return lapsed },
	} {
		term := ofTwelveSeconds()
		assert.True(t, lapse(term), name)
		term.extend(later(11*s, 0), timing{15 * s, 10 * s, 2 * s})
		assert.Equal(t, later(0, 0), term.lastSent(), name)
		_, lapsed := term.lapse(later(s, 0).monoSince)
		assert.True(t, lapsed, name)
	}
}

func TestATermAsksForARenewalWhenItIsFoundInDoubtAndNoOtherTime(t *testing.T) {
	clk := &sleeper{FakeClock: clocktesting.NewFakeClock(epoch), boot: epoch}
	term := ofTwelveSeconds()
	term.clock, term.sent = timepiece{clk}, timepiece{clk}.now()
	told := 0
	assert.NoError(t, term.Err())
	term.setDoubtful(func() { told++ })
	assert.NoError(t, term.Err())
	assert.Zero(t, told)
	assert.Empty(t, term.doubted)

	clk.asleep = time.Minute
	for range 3 { // more than anybody hears
		assert.Error(t, term.Err())
	}
	assert.Equal(t, 3, told)
	require.Len(t, term.doubted, 1)
	<-term.doubted
	term.setDoubtful(nil)
	assert.Error(t, term.Err())
	require.Len(t, term.doubted, 1)
	<-term.doubted

	clk.asleep = 0
	clk.Step(12 * s)
	assert.Error(t, term.Err())
	assert.Empty(t, term.doubted, "it is over")
}

func TestTheFirstReasonForTheEndOfATermStays(t *testing.T) {
	term := ofTwelveSeconds()
	assert.Nil(t, term.ending())
	first := &TermEndedError{Reason: ReasonResigned}
	term.end(first)
	select {
	case <-term.Done():
	default:
		t.Fatal("nobody is told")
	}
	term.end(&TermEndedError{Reason: ReasonTaken})
	assert.Same(t, first, term.ending())
	doubtful, err := term.state(later(0, 0))
	assert.False(t, doubtful)
	assert.Same(t, first, err)
}

// Answers may come in another order than the writes were sent in.
func TestAnEarlierWriteDoesNotShortenATerm(t *testing.T) {
	of := timing{15 * s, 10 * s, 2 * s}
	at := func(d time.Duration) instant { return instant{mono: time.Unix(0, 0).Add(d), boot: d} }
	term := &Term{sent: at(4 * s), length: of.term(), holds: of.lease}
	for _, sent := range []time.Duration{0, 4*s - 1, 4 * s} {
		term.extend(at(sent), timing{3 * s, 2 * s, s})
		counts, length := term.counts()
		assert.Equal(t, at(4*s), counts)
		assert.Equal(t, of.term(), length, "%v", sent)
	}
	term.extend(at(4*s+1), timing{3 * s, 2 * s, s})
	_, length := term.counts()
	assert.Equal(t, timing{3 * s, 2 * s, s}.term(), length)
}
