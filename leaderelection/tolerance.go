package leaderelection

import "time"

// Tolerance is what an election bears, in numbers that follow from its three
// durations: L LeaseDuration, D RenewDeadline, R RetryPeriod, and the length of
// a term without renewal, T = max(D, min(D+R, L−R)).
type Tolerance struct {
	// Term is T: how long a leader leads on without a renewal.
	Term time.Duration
	// Outage is the longest time in which no API server answers that a leader
	// survives for certain: T − 2R. Its last renewal may be R old when the outage
	// begins, and its next try may come R after the outage has ended. Where R is more than T/2, renewals are T/2 apart,
	// and it is zero. Where answers take more than a quarter of R, renewals are further
	// apart, and where the API asks for a longer pause (Retry-After), tries are: it is
	// less by as much.
	Outage time.Duration
	// Takeover is the longest time from the death of a leader to the next one: L,
	// and what a round trip takes. On average it is R/2 less.
	Takeover time.Duration
	// WorkStop is how long work may take to stop after a lost term without running
	// beside the next leader's: L − T.
	WorkStop time.Duration
	// ClockRate is by which part the clocks of two contenders may differ in rate
	// without two leaders: (L − T)/L.
	ClockRate float64
	// Renewals is how many requests a minute a leader sends: one each R, or each T/2
	// where that is less. A standby that may watch sends next to none; one that polls, fewer than that.
	Renewals float64
}

// Tolerance returns what the durations of c bear. It is zero where they are not
// all positive; whether they fit together is for NewLeaderElector to say.
func (c *LeaderElectionConfig) Tolerance() Tolerance {
	t := c.timing()
	if min(t.lease, t.deadline, t.retry) <= 0 {
		return Tolerance{}
	}
	return Tolerance{
		Term:      t.term(),
		Outage:    max(0, t.term()-2*t.period()),
		Takeover:  t.lease,
		WorkStop:  t.lease - t.term(),
		ClockRate: float64(t.lease-t.term()) / float64(t.lease),
		Renewals:  float64(time.Minute) / float64(t.period()),
	}
}
