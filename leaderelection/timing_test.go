package leaderelection

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
)

const (
	ms = time.Millisecond
	s  = time.Second
)

func TestATermIsNeverShorterThanAskedNorAsLongAsTheLease(t *testing.T) {
	for _, c := range []struct {
		name string
		of   timing
		want time.Duration
	}{
		{"core components", timing{15 * s, 10 * s, 2 * s}, 12 * s},
		{"short", timing{3 * s, 2 * s, 500 * ms}, 2500 * ms},
		{"a second", timing{s, 700 * ms, 200 * ms}, 800 * ms},
		{"lease far longer than deadline", timing{60 * s, 15 * s, 5 * s}, 20 * s},
		{"deadline close to the lease", timing{10 * s, 9900 * ms, 2 * s}, 9900 * ms},
	} {
		t.Run(c.name, func(t *testing.T) {
			assert.NoError(t, c.of.validate())
			assert.Equal(t, c.want, c.of.term())
			assert.GreaterOrEqual(t, c.of.term(), c.of.deadline)
			assert.Less(t, c.of.term(), c.of.lease)
		})
	}
}

func TestDurationsThatCannotWorkAreNamed(t *testing.T) {
	for _, c := range []struct {
		name string
		of   timing
		want []string
	}{
		{"no retry period", timing{15 * s, 10 * s, 0}, []string{"RetryPeriod = 0s", "positive"}},
		{"a retry period that is too short", timing{15 * s, 10 * s, 9 * ms}, []string{"RetryPeriod = 9ms", "at least 10ms"}},
		{"a retry period of nanoseconds", timing{15 * s, 10 * s, 2}, []string{"RetryPeriod = 2ns", "at least 10ms"}},
		{"negative deadline", timing{15 * s, -s, 2 * s}, []string{"RenewDeadline = -1s", "positive"}},
		{"lease too short", timing{400 * ms, 300 * ms, 100 * ms}, []string{"LeaseDuration = 400ms", "at least 500ms"}},
		{"lease too long for the API", timing{80 * 365 * 24 * time.Hour, 10 * s, 2 * s}, []string{"LeaseDuration", "at most"}},
		{"lease no longer than deadline", timing{10 * s, 10 * s, 2 * s}, []string{"LeaseDuration = 10s", "greater than RenewDeadline = 10s"}},
		{"no time for a second attempt", timing{15 * s, 2400 * ms, 2 * s}, []string{"RenewDeadline = 2.4s", "RetryPeriod × 1.2 = 2.4s"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			err := c.of.validate()
			if assert.Error(t, err) {
				for _, part := range c.want {
					assert.ErrorContains(t, err, part)
				}
			}
		})
	}
}

func TestPausesGrowToTheRetryPeriodAndObeyTheServer(t *testing.T) {
	of := timing{15 * s, 10 * s, 2 * s}
	for _, c := range []struct {
		failures int
		random   float64
		asked    time.Duration
		want     time.Duration
	}{
		{1, 0, 0, 250 * ms},
		{2, 0, 0, 500 * ms},
		{3, 0, 0, s},
		{4, 0, 0, 2 * s},
		{100, 0, 0, 2 * s},
		{4, 0.5, 0, 1500 * ms},
		{1, 0, s, s},
		{4, 0, s, 2 * s},
		{1, 0, time.Hour, 2500 * ms},
	} {
		assert.Equal(t, c.want, of.pause(c.failures, c.random, c.asked), "%+v", c)
	}
}

func TestARecordWithoutAUsableDurationGetsOurs(t *testing.T) {
	of := timing{15 * s, 10 * s, 2 * s}
	assert.Equal(t, 15*s, of.takeoverAfter(0))
	assert.Equal(t, 15*s, of.takeoverAfter(-s))
	assert.Equal(t, 3*s, of.takeoverAfter(3*s))
	assert.Equal(t, time.Hour, of.takeoverAfter(time.Hour))
}

func TestALeaderBelievesTheFastestClockAndACandidateTheSteadyOne(t *testing.T) {
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	reading := func(mono, boot, wall time.Duration) instant {
		return instant{mono: at.Add(mono), boot: boot, wall: at.Add(wall)}
	}
	zero := reading(0, 0, 0)
	for _, c := range []struct {
		name            string
		now             instant
		steady, fastest time.Duration
	}{
		{"all agree", reading(s, s, s), s, s},
		{"suspended for a minute", reading(s, 61*s, 61*s), s, 61 * s},
		{"wall clock set forward", reading(s, s, time.Hour), s, time.Hour},
		{"wall clock set back", reading(s, s, -time.Hour), s, s},
		{"no clock that counts suspension", reading(s, 0, s), s, s},
	} {
		t.Run(c.name, func(t *testing.T) {
			assert.Equal(t, c.steady, c.now.steady(zero))
			assert.Equal(t, c.fastest, c.now.fastest(zero))
		})
	}
}

func TestTheFirstRenewalsOfManyLeasesAreSpread(t *testing.T) {
	tm := timing{lease: 15 * s, deadline: 10 * s, retry: 2 * s}
	assert.Equal(t, 2*s, tm.phase(0), "never later than a retry period")
	assert.Equal(t, 500*ms, tm.phase(1), "nor so soon that it says nothing new")
	assert.Equal(t, 2*s, tm.period())
	tm = timing{lease: 15 * s, deadline: 10 * s, retry: 8 * s}
	assert.Equal(t, 5*s, tm.period(), "an answer may take half a term")
	assert.Equal(t, 5*s, tm.phase(0))
}
