package scenario

import (
	"errors"
	"fmt"
	"time"

	"github.com/holdfast-go/holdfast/benchmarks/contender"
	"github.com/holdfast-go/holdfast/benchmarks/event"
)

// Timing is that of contenders.
type Timing = contender.Timing

// Short is the timing of tests that run always: client-go's defaults,
// divided by about five.
var Short = Timing{LeaseDuration: 3 * time.Second, RenewDeadline: 2 * time.Second, RetryPeriod: 500 * time.Millisecond}

// Long is the timing that client-go and the components of Kubernetes have by
// default.
var Long = Timing{LeaseDuration: 15 * time.Second, RenewDeadline: 10 * time.Second, RetryPeriod: 2 * time.Second}

// timingOf reads a Timing from the writes of the first contender: the lease as it
// stands in the record, the retry period as the time between two renewals. Of the
// renew deadline the Lease says nothing; it is taken to be two thirds of the lease,
// as by default.
func timingOf(events []event.Event) (Timing, error) {
	var last event.Event
	var periods []time.Duration
	for _, e := range events {
		if e.What != event.Committed || e.Holder != "contender-1" {
			continue
		}
		if period := e.RenewTime.Sub(last.RenewTime); !last.Time.IsZero() && period > 0 {
			periods = append(periods, period)
		}
		last = e
	}
	if len(periods) == 0 {
		return Timing{}, errors.New("read the timing of the Lease: it was not renewed")
	}
	// A renewal follows the one before by the retry period and the time of a request.
	retry := Summarize(periods).Median
	unit := 10 * time.Millisecond
	switch {
	case retry >= time.Second:
		unit = 100 * time.Millisecond
	case retry >= 200*time.Millisecond:
		unit = 50 * time.Millisecond
	}
	if last.Lease <= 0 {
		return Timing{}, fmt.Errorf("read the timing of the Lease: its duration is %v", last.Lease)
	}
	return Timing{LeaseDuration: last.Lease, RenewDeadline: last.Lease * 2 / 3, RetryPeriod: max(unit, retry.Round(unit))}, nil
}
