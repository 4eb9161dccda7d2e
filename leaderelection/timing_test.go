package leaderelection

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	rl "github.com/holdfast-go/holdfast/resourcelock"
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
		{"no deadline", timing{15 * s, 0, 2 * s}, []string{"RenewDeadline = 0s", "positive"}},
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

func TestTheExtremesThatDurationsMayHaveAreAccepted(t *testing.T) {
	for name, of := range map[string]timing{
		"the shortest retry period": {15 * s, 10 * s, leastRetry},
		"the shortest lease":        {shortestLease, 300 * ms, 100 * ms},
		"the longest lease":         {longestLease, 10 * s, 2 * s},
	} {
		assert.NoError(t, of.validate(), name)
	}
}

// A record is believed as far as a Lease can carry what it says.
func TestTheSecondsOfARecordAreThoseThatALeaseCanCarry(t *testing.T) {
	for seconds, want := range map[int]time.Duration{
		0: 0, 1: s, 15: 15 * s, -3: -3 * s,
		1<<31 - 1: longestLease, 1 << 31: longestLease, 1<<63 - 1: longestLease,
		-1 << 31: -1 << 31 * s, -1<<31 - 1: -1 << 31 * s, -1 << 63: -1 << 31 * s,
	} {
		assert.Equal(t, want, secondsOf(rl.LeaderElectionRecord{LeaseDurationSeconds: seconds}), "%d", seconds)
	}
}

func TestALeaseThatIsStoredShorterMakesEverythingShorter(t *testing.T) {
	of := timing{15 * s, 10 * s, 2 * s}
	for stored, want := range map[time.Duration]timing{
		3 * s:    {3 * s, 2 * s, 400 * ms},
		15*s - 1: {15*s - 1, 10*s - 1, 2*s - 1},
		15 * s:   of,
		16 * s:   of, // others wait for longer, which is no reason to renew more seldom
		0:        of,
		-s:       of,
	} {
		assert.Equal(t, want, of.storedAs(stored), "%v", stored)
	}
}

func TestAWatchThatIsSilentIsDoubtedWhenARenewalIsLate(t *testing.T) {
	of := timing{15 * s, 10 * s, 2 * s}
	for _, c := range []struct{ beat, lease, want time.Duration }{
		{0, 15 * s, 2500 * ms},
		{s, 15 * s, 2500 * ms}, // the leader's renewals are closer than ours would be
		{2 * s, 15 * s, 2500 * ms},
		{4 * s, 15 * s, 5 * s},
		{20 * s, 60 * s, 25 * s},
		{20 * s, 15 * s, 7500 * ms}, // once in each lease
		{20 * s, 3 * s, 2500 * ms},  // but no more often than is polled
	} {
		assert.Equal(t, c.want, of.watchTimeout(c.beat, c.lease), "%+v", c)
	}
}

func TestACandidateIsBlindAfterALeaseAndAFewReads(t *testing.T) {
	assert.Equal(t, 15*s, timing{15 * s, 10 * s, 2 * s}.blindness())
	assert.Equal(t, 24*s, timing{15 * s, 10 * s, 8 * s}.blindness())
}

func TestCandidatesPollAsClientGoDoesAndSpreadTheirClaims(t *testing.T) {
	of := timing{15 * s, 10 * s, 2 * s}
	assert.Equal(t, 2*s, of.poll(0))
	assert.Equal(t, 3200*ms, of.poll(0.5))
	assert.Zero(t, of.spread(true, 0))
	assert.Equal(t, ms, of.spread(false, 0.5))
	assert.Equal(t, 10*ms, of.spread(true, 0.5), "others claim too")
	assert.Equal(t, ms, timing{s, 700 * ms, 100 * ms}.spread(true, 0.5), "a hundredth of the retry period")
}

func TestTheNextRenewalWaitsForSlowAnswersAndLeavesRoomForThem(t *testing.T) {
	of := timing{15 * s, 10 * s, 2 * s} // a term is 12 s
	for took, want := range map[time.Duration]time.Duration{
		0:           2 * s,
		500 * ms:    2 * s,
		500*ms + 1:  2500*ms + 1,
		2 * s:       4 * s,
		3 * s:       5 * s,
		3500 * ms:   5 * s, // as much again is left in reserve
		4 * s:       4 * s,
		5500 * ms:   2 * s,
		time.Minute: 2 * s,
	} {
		assert.Equal(t, want, of.nextRenewal(took), "%v", took)
	}
	of = timing{15 * s, 10 * s, 4 * s} // a term is 11 s
	assert.Equal(t, 5500*ms, of.nextRenewal(2*s), "never later than half a term")
}

func TestPausesGrowToTheRetryPeriodAndObeyTheServer(t *testing.T) {
	of := timing{s, 700 * ms, 200 * ms}
	for _, c := range []struct { // the small ones first: a rule that is broken may never come to an end of many
		failures int
		want     time.Duration
	}{{4, 200 * ms}, {20, 200 * ms}, {21, 400 * ms}, {22, 800 * ms}, {23, 1600 * ms}, {24, 2 * s}, {1 << 40, 2 * s}} {
		require.Equal(t, c.want, of.backoff(c.failures, 0, 0), "after %d failures, of which many grow to seldom", c.failures)
	}
	of = timing{15 * s, 10 * s, 2 * s}
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
		{20, 0.5, 0, 1500 * ms},
		{21, 0.5, 0, 1750 * ms}, // of many, less up to a quarter
	} {
		assert.Equal(t, c.want, of.backoff(c.failures, c.random, c.asked), "%+v", c)
	}
	of = timing{60 * s, 40 * s, 5 * s}
	assert.Equal(t, 5*s, of.backoff(100, 0, 0), "which a longer retry period is already")
}

func TestAWatchThatIsRefusedIsAskedForMoreAndMoreSeldom(t *testing.T) {
	of := timing{15 * s, 10 * s, 2 * s}
	for _, c := range []struct {
		refusals int
		want     time.Duration
	}{{1, 2 * s}, {2, 4 * s}, {9, 512 * s}, {10, longestRefusal}, {1 << 40, longestRefusal}} {
		require.Equal(t, c.want, of.watchBackoff(c.refusals), "%d", c.refusals)
	}
	assert.Equal(t, time.Hour, timing{3 * time.Hour, 2 * time.Hour, time.Hour}.watchBackoff(1), "never sooner than is polled")
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
			assert.Equal(t, c.steady, c.now.monoSince(zero))
			assert.Equal(t, c.fastest, c.now.fastestSince(zero))
		})
	}
}

func TestTheFirstRenewalsOfManyLeasesAreSpread(t *testing.T) {
	tm := timing{lease: 15 * s, deadline: 10 * s, retry: 2 * s}
	assert.Equal(t, 2*s, tm.firstRenewal(0), "never later than a retry period")
	assert.Equal(t, 500*ms, tm.firstRenewal(1), "nor so soon that it says nothing new")
	assert.Equal(t, 2*s, tm.period())
	tm = timing{lease: 15 * s, deadline: 10 * s, retry: 8 * s}
	assert.Equal(t, 5*s, tm.period(), "an answer may take half a term")
	assert.Equal(t, 5*s, tm.firstRenewal(0))
}
