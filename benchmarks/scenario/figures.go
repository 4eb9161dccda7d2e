package scenario

import (
	"errors"
	"fmt"
	"time"

	"github.com/holdfast-go/holdfast/benchmarks/event"
)

// Figure is a duration that was measured, or that the run could not show.
type Figure struct {
	Value time.Duration
	// Known is false where what the figure speaks of did not happen.
	Known bool
}

// String is the duration to the millisecond, or "none".
func (f Figure) String() string {
	if !f.Known {
		return "none"
	}
	return f.Value.Round(time.Millisecond).String()
}

func between(from, to time.Time) Figure {
	if from.IsZero() || to.IsZero() {
		return Figure{}
	}
	return Figure{Value: to.Sub(from), Known: true}
}

// Figures are what one run shows.
type Figures struct {
	// Leader is who led when the first fault came, Successor who led next; empty
	// if nobody did.
	Leader, Successor string
	// Fault is when the first fault came.
	Fault time.Time
	// LeaseEnd is when the leader's lease ended: renewTime of its last committed
	// renewal plus the lease duration, both as the API holds them.
	LeaseEnd time.Time

	// Takeover is from LeaseEnd to the beginning of the successor's work; not
	// known where the lease was released. A negative one is a takeover of a lease
	// that had not ended.
	Takeover Figure
	// Outage is from the fault to the beginning of the successor's work; after a
	// SIGTERM it is the handover.
	Outage Figure
	// AfterWork is from the end of the leader's work to the beginning of the
	// successor's. It is negative where the old work ended later.
	AfterWork Figure
	// AfterRelease is from the release, as observed and so some milliseconds
	// late, to the beginning of the successor's work.
	AfterRelease Figure

	// Kept says that after the fault the leader went on renewing, that nobody
	// else got the lease and that no contender reported a loss.
	Kept bool
	// Lost counts the leases given up after the fault though nobody had asked.
	Lost int
	// LossAfter is from the fault to the first of them.
	LossAfter Figure
	// RenewalLate is the longest time, after the fault, from when a renewal of a
	// kept lease fell due to its commit. Due is renewTime of the one before
	// plus the retry period.
	RenewalLate Figure

	// Leaderless is for how long nobody led, from the fault to the end of the run;
	// whom the fault was done to leads no longer. LeaderlessAtEnd says that it went
	// on then.
	Leaderless      time.Duration
	LeaderlessAtEnd bool

	// Overlap is how long the guarded work of two contenders ran at the same
	// time, over the whole run.
	Overlap time.Duration
	// Requests counts, for each contender, the requests it sent from the fault to
	// the end of the run, and Window is how long that was.
	Requests map[string]int
	Window   time.Duration
	// Standby is what the contender that did not lead asked for while nothing was
	// wrong.
	Standby Asked
}

// Measure computes the figures of the run that events, sorted by time, are the
// stream of. The retry period is the one the contenders ran with. A stream that
// shows no fault, no leader at the fault, or that has unreadable lines is an
// error.
func Measure(events []event.Event, retryPeriod time.Duration) (Figures, error) {
	events, err := whole(events)
	if err != nil {
		return Figures{}, fmt.Errorf("measure a run of %d events: %w", len(events), err)
	}
	fault, _ := first(events, func(e event.Event) bool { return e.What == event.Fault })
	end := events[len(events)-1].Time
	terms := terms(events, end)

	f := Figures{
		Leader:   leading(terms, fault.Time),
		Fault:    fault.Time,
		Overlap:  overlap(terms),
		Requests: map[string]int{},
		Window:   end.Sub(fault.Time),
	}
	if f.Leader == "" {
		return Figures{}, errors.New("measure a run: nobody led when the fault came")
	}
	f.LeaseEnd = leaseEnd(events, f.Leader)
	f.Leaderless, f.LeaderlessAtEnd = leaderlessAfter(events, terms, fault.Time, end)
	f.Standby = askedAtRest(events, f.Leader, fault.Time)
	for _, e := range events {
		if e.Time.Before(fault.Time) {
			continue
		}
		switch e.What {
		case event.Requested:
			f.Requests[e.Who]++
		case event.Lost:
			f.Lost++
			if !f.LossAfter.Known {
				f.LossAfter = between(fault.Time, e.Time)
			}
		}
	}
	f.Kept = kept(events, f.Leader, fault.Time) && f.Lost == 0
	if f.Kept {
		f.RenewalLate = renewalLate(events, f.Leader, fault.Time, end, retryPeriod)
	}
	if next, ok := successor(terms, f.Leader, fault.Time); ok {
		f.Successor = next.who
		f.Outage = between(fault.Time, next.from)
		f.AfterWork = between(workEnd(terms, f.Leader, next.from), next.from)
		if at := released(events, f.Leader, fault.Time); !at.IsZero() {
			f.AfterRelease = between(at, next.from)
		} else {
			f.Takeover = between(f.LeaseEnd, next.from)
		}
	}
	return f, nil
}

// whole returns the events up to the end of the run, or why they are none that
// can be measured.
func whole(events []event.Event) ([]event.Event, error) {
	faults := 0
	for i, e := range events {
		switch e.What {
		case event.Fault:
			faults++
		case event.Unreadable:
			return nil, fmt.Errorf("%s wrote a line that is no event: %q", e.Who, e.Reason)
		}
		if e.What == event.Ended {
			events = events[:i+1]
			break
		}
	}
	if faults == 0 {
		return nil, errors.New("it shows no fault")
	}
	return events, nil
}

func first(events []event.Event, match func(event.Event) bool) (event.Event, bool) {
	for _, e := range events {
		if match(e) {
			return e, true
		}
	}
	return event.Event{}, false
}
