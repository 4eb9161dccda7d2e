package scenario

import (
	"time"

	"github.com/holdfast-go/holdfast/benchmarks/event"
)

// lastRenewal returns the last committed renewal of leader before anyone else
// held the lease; its zero value if leader never held it.
func lastRenewal(events []event.Event, leader string) event.Event {
	var last event.Event
	for _, e := range events {
		switch {
		case e.What == event.Committed && e.Holder == leader:
			last = e
		case e.What == event.Committed && last.Holder != "":
			return last
		}
	}
	return last
}

// leaseEnd returns when the lease of leader ended: renewTime of its last
// committed renewal before anyone else held the lease, plus the duration that
// stands in that record. It is zero if leader never held it.
func leaseEnd(events []event.Event, leader string) time.Time {
	last := lastRenewal(events, leader)
	if last.Holder == "" {
		return time.Time{}
	}
	return last.RenewTime.Add(last.Lease)
}

// kept reports whether leader renewed after the fault and nobody else wrote.
func kept(events []event.Event, leader string, fault time.Time) bool {
	renewed := false
	for _, e := range events {
		if e.Time.Before(fault) {
			continue
		}
		switch {
		case e.What == event.Committed && e.Holder == leader:
			renewed = true
		case e.What == event.Committed, e.What == event.Released:
			return false
		}
	}
	return renewed
}

// released returns when the observer saw the lease of leader released after the
// fault, and zero if another took it without that.
func released(events []event.Event, leader string, fault time.Time) time.Time {
	for _, e := range events {
		switch {
		case e.Time.Before(fault):
		case e.What == event.Released:
			return e.Time
		case e.What == event.Committed && e.Holder != leader:
			return time.Time{}
		}
	}
	return time.Time{}
}

// renewalLate returns the longest time from when a renewal of leader fell due
// to its commit, over those committed after the fault. One that was due and has
// not come by end counts with the time it has been missing.
func renewalLate(events []event.Event, leader string, fault, end time.Time, retryPeriod time.Duration) Figure {
	var due time.Time
	var worst time.Duration
	for _, e := range events {
		if e.What != event.Committed || e.Holder != leader {
			continue
		}
		if !due.IsZero() && e.Time.After(fault) {
			worst = max(worst, e.Time.Sub(due))
		}
		due = e.RenewTime.Add(retryPeriod)
	}
	if due.IsZero() {
		return Figure{}
	}
	return Figure{Value: max(worst, end.Sub(due)), Known: true}
}
