package leaderelection

import (
	"fmt"
	"math"
	"time"
)

// This file is the arithmetic of a term: no clock, no lock, no goroutine.

// shortestLease is the shortest LeaseDuration that is supported. Below it, an
// ordinary pause of a process or of etcd's disk is as long as the lease.
const shortestLease = 500 * time.Millisecond

// longestLease is the longest LeaseDuration that a Lease can carry
// (leaseDurationSeconds is an int32).
const longestLease = math.MaxInt32 * time.Second

// timing holds the durations of an election: L, D and R of the documentation.
type timing struct {
	lease    time.Duration
	deadline time.Duration
	retry    time.Duration
}

// term returns T, the time after which a leader's term ends, counted from the
// moment before its last successful write was sent.
//
// It is never sooner than the configuration asks for (D), and never as late as
// another may take over (L): the retry period is what the leader keeps as a
// margin against clocks of different rates, or gains for one more attempt.
func (t timing) term() time.Duration {
	return max(t.deadline, min(t.deadline+t.retry, t.lease-t.retry))
}

// takeoverAfter returns how long a candidate must have seen a held record
// unchanged before it may write: the record's own lease. A record that names no
// usable duration gets the candidate's, so that a damaged Lease is no reason to
// be hasty.
func (t timing) takeoverAfter(recorded time.Duration) time.Duration {
	if recorded <= 0 {
		return t.lease
	}
	return recorded
}

// heartbeat returns how long a candidate with a watch waits for the next
// renewal before it asks for itself whether the leader or the watch has died.
func (t timing) heartbeat() time.Duration { return t.retry + t.retry/4 }

// poll returns the pause between two reads of a candidate without a watch, as
// client-go's elector takes it: the retry period stretched by up to
// JitterFactor, at random (0 ≤ random < 1).
func (t timing) poll(random float64) time.Duration {
	return t.retry + time.Duration(random*JitterFactor*float64(t.retry))
}

// spread returns by how much a candidate delays its write after it may, at
// random (0 ≤ random < 1), so that many candidates do not write at once. It is
// small enough not to be noticed in a takeover.
func (t timing) spread(random float64) time.Duration {
	return time.Duration(random * float64(min(t.retry/50, 20*time.Millisecond)))
}

// phase returns how long after the write that won the lease the first renewal
// comes, at random (0 ≤ random < 1): at most the retry period, and at least a
// quarter of it. All later ones come a retry period after the one before.
func (t timing) phase(random float64) time.Duration {
	return t.retry - time.Duration(random*0.75*float64(t.retry))
}

// pause returns how long to wait after the n-th failure in a row (n from 1),
// doubling from an eighth of the retry period to the whole of it, less up to
// half of that at random. A server that says how long (Retry-After) is obeyed
// where it asks for more, but not past a quarter of the renew deadline: an
// answer that comes too late is worth nothing.
func (t timing) pause(failures int, random float64, asked time.Duration) time.Duration {
	full := t.retry
	if shift := 3 - (failures - 1); shift > 0 {
		full = t.retry >> shift
	}
	own := full - time.Duration(random*float64(full)/2)
	return max(own, min(asked, t.deadline/4))
}

// validate says which duration cannot work with which other, and why.
func (t timing) validate() error {
	switch {
	case t.retry <= 0:
		return fmt.Errorf("RetryPeriod = %v: must be positive", t.retry)
	case t.deadline <= 0:
		return fmt.Errorf("RenewDeadline = %v: must be positive", t.deadline)
	case t.lease < shortestLease:
		return fmt.Errorf("LeaseDuration = %v: must be at least %v", t.lease, shortestLease)
	case t.lease > longestLease:
		return fmt.Errorf("LeaseDuration = %v: must be at most %v, the longest a Lease can carry", t.lease, longestLease)
	case t.lease <= t.deadline:
		return fmt.Errorf("LeaseDuration = %v: must be greater than RenewDeadline = %v, or a leader may hold on when another takes over", t.lease, t.deadline)
	case float64(t.deadline) <= JitterFactor*float64(t.retry):
		return fmt.Errorf("RenewDeadline = %v: must be greater than RetryPeriod × %v = %v, or there is no time for a second attempt",
			t.deadline, JitterFactor, time.Duration(JitterFactor*float64(t.retry)))
	}
	return nil
}
