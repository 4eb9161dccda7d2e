package leaderelection

import "time"

// Tolerance is what an election tolerates, computed from its three durations: L
// LeaseDuration, D RenewDeadline, R RetryPeriod, and the length of a term without
// renewal, T = max(D, min(D+R, L−R)).
type Tolerance struct {
	// Term is T: how long a leader leads on without a renewal.
	Term time.Duration
	// Outage is for how long no API server may answer without the leader losing its
	// lease, for certain: T − 2R. The last renewal may be R old when the outage
	// begins, and the next try may come R after its end. Where R is more than T/2,
	// renewals are T/2 apart, and Outage is zero. In two cases the leader survives
	// less: where answers take more than a quarter of R, renewals are further apart;
	// and where the API asks for a longer pause (Retry-After), tries are.
	Outage time.Duration
	// Takeover is the longest time from the death of a leader to the next one: L. One
	// round trip to the API comes on top. On average it is R/2 less.
	Takeover time.Duration
	// WorkStop is how long work may take to stop after a lost term without running
	// beside the next leader's: L − T.
	WorkStop time.Duration
	// ClockRate is the fraction by which the rates of two contenders' clocks may
	// differ without two leaders: (L − T)/L.
	ClockRate float64
	// Renewals is how many requests a minute a leader sends: one each R, or each T/2
	// where that is less. A standby that may watch sends next to none; one that polls,
	// fewer than a leader.
	Renewals float64
}

// Tolerance returns what an election with the durations of c tolerates. It is zero if
// they are not all positive. It does not check whether they fit together:
// ValidateDurations does.
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
