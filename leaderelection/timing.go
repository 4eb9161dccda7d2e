package leaderelection

import (
	"fmt"
	"math"
	"time"

	rl "github.com/holdfast-go/holdfast/resourcelock"
)

// This file is the arithmetic of a term: no clock, no lock, no goroutine.

// shortestLease is the shortest LeaseDuration that is supported. Below it, an
// ordinary pause of a process or of etcd's disk is as long as the lease.
const shortestLease = 500 * time.Millisecond

// leastRetry is the shortest RetryPeriod that is supported: a hundred requests a
// second are more than one lease is worth.
const leastRetry = 10 * time.Millisecond

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

// storedAs returns the durations of a term whose lease is stored with another duration
// than was written, as by admission: others go by what is stored. A shorter one makes
// everything shorter in proportion.
func (t timing) storedAs(lease time.Duration) timing {
	if lease <= 0 || lease >= t.lease {
		return t
	}
	part := func(d time.Duration) time.Duration {
		return time.Duration(float64(d) * float64(lease) / float64(t.lease))
	}
	return timing{lease: lease, deadline: part(t.deadline), retry: part(t.retry)}
}

// takeoverAfter returns how long a candidate must have seen a held record
// unchanged before it may write: the record's own lease. A record that names no
// usable duration gets the candidate's, so that a damaged Lease is no reason to
// be hasty. One beyond what a Lease can carry gets the longest that it can.
func (t timing) takeoverAfter(recorded time.Duration) time.Duration {
	if recorded <= 0 {
		return t.lease
	}
	return min(recorded, longestLease)
}

// secondsOf returns the whole seconds of a record, of which a lock of one's own
// may report more than a Lease can carry.
func secondsOf(record rl.LeaderElectionRecord) time.Duration {
	return time.Duration(max(math.MinInt32, min(record.LeaseDurationSeconds, math.MaxInt32))) * time.Second
}

// watchTimeout returns how long a candidate with a watch waits for the next
// renewal before it asks for itself whether the leader or the watch has died:
// a quarter longer than renewals are apart. That is renewInterval, as far as it is known,
// or the candidate's own retry period; it asks at least once in each lease.
func (t timing) watchTimeout(renewInterval, lease time.Duration) time.Duration {
	own := t.retry + t.retry/4
	return max(own, min(renewInterval+renewInterval/4, lease/2))
}

// blindness returns how long a candidate may have seen nothing before it cannot
// say any more what was the case in between.
func (t timing) blindness() time.Duration { return max(t.lease, 3*t.retry) }

// poll returns the pause between two reads of a candidate without a watch, as
// client-go's elector takes it: the retry period stretched by up to
// JitterFactor, at random (0 ≤ random < 1).
func (t timing) poll(random float64) time.Duration {
	return t.retry + time.Duration(random*JitterFactor*float64(t.retry))
}

// spread returns by how much a candidate delays its claim after it may, at random
// (0 ≤ random < 1), so that many candidates do not write at once. Mostly one or two stand
// by, and each millisecond is one in which nobody leads: so it is ten times as much once
// a claim was contested, lost to that of another.
func (t timing) spread(contested bool, random float64) time.Duration {
	most := min(t.retry/50, 20*time.Millisecond)
	if !contested {
		most /= 10
	}
	return time.Duration(random * float64(most))
}

// period returns how long after a renewal was sent the next one is: the retry
// period, but no more than half a term, so that an answer that takes nearly half a
// term comes in time always.
func (t timing) period() time.Duration { return min(t.retry, t.term()/2) }

// nextRenewal returns how long after a renewal was sent the next one is, if its answer
// took so long. Where answers are slow, as of an API or a process that is short of
// CPU, the next renewal comes a retry period after the answer, and is no part of
// what makes it slow; but so early that an answer of the same kind comes within the
// term, with as much again in reserve, and never later than half a term, so that an
// answer that takes the other half comes in time too.
func (t timing) nextRenewal(took time.Duration) time.Duration {
	if took <= t.period()/4 {
		return t.period()
	}
	return max(t.period(), min(took+t.retry, t.term()-2*took, t.term()/2))
}

// firstRenewal returns how long after the write that won the lease the first renewal
// comes, at random (0 ≤ random < 1): at most the period of all later ones, and at
// least a quarter of it.
func (t timing) firstRenewal(random float64) time.Duration {
	return t.period() - time.Duration(random*0.75*float64(t.period()))
}

// A call that fails is tried again at most every retry period, but not forever
// at less than seldom: after many failures in a row the pause grows to that,
// where the retry period is shorter.
const (
	many   = 20
	seldom = 2 * time.Second
)

// backoff returns how long to wait after the n-th failure in a row (n from 1),
// doubling from an eighth of the retry period to the whole of it, less up to
// half of that at random. After many failures it doubles on, up to seldom, less
// up to a quarter: two calls each make no more than two requests a second. A
// server that says how long (Retry-After) is obeyed where it asks for more, but
// not past a quarter of the renew deadline: an answer that comes too late is
// worth nothing.
func (t timing) backoff(failures int, random float64, asked time.Duration) time.Duration {
	full, part := t.retry, 2.0
	if shift := 3 - (failures - 1); shift > 0 {
		full = t.retry >> shift
	} else if failures > many {
		full, part = max(t.retry, min(seldom, doubled(t.retry, failures-many))), 4
	}
	own := full - time.Duration(random*float64(full)/part)
	return max(own, min(asked, t.deadline/4))
}

// watchBackoff returns how long a candidate that may not watch waits before it asks
// again, after the n-th refusal in a row (n from 1): it doubles from the retry
// period to longestRefusal. A right that was missing for a moment is used soon,
// and one that is never granted is asked for now and then.
func (t timing) watchBackoff(refusals int) time.Duration {
	return max(t.retry, min(longestRefusal, doubled(t.retry, refusals-1)))
}

const longestRefusal = 10 * time.Minute

// doubled returns d doubled n times, or more than anything that is waited for.
func doubled(d time.Duration, n int) time.Duration {
	for ; n > 0 && d < longestLease; n-- {
		d *= 2
	}
	return d
}

// validate says which duration cannot work with which other, and why.
func (t timing) validate() error {
	switch {
	case t.retry <= 0:
		return fmt.Errorf("RetryPeriod = %v: must be positive", t.retry)
	case t.retry < leastRetry:
		return fmt.Errorf("RetryPeriod = %v: must be at least %v", t.retry, leastRetry)
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
