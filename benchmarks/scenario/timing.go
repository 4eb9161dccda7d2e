package scenario

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/holdfast-go/holdfast/benchmarks/event"
)

// Timing holds the three durations of an election. All must be positive; their
// relations are the elector's to check.
type Timing struct {
	LeaseDuration, RenewDeadline, RetryPeriod time.Duration
}

// Short is the timing of tests that run always: client-go's defaults,
// divided by about five.
var Short = Timing{LeaseDuration: 3 * time.Second, RenewDeadline: 2 * time.Second, RetryPeriod: 500 * time.Millisecond}

// Long is the timing that client-go and the components of Kubernetes have by
// default.
var Long = Timing{LeaseDuration: 15 * time.Second, RenewDeadline: 10 * time.Second, RetryPeriod: 2 * time.Second}

// String is "15s/10s/2s".
func (t Timing) String() string {
	return fmt.Sprintf("%v/%v/%v", t.LeaseDuration, t.RenewDeadline, t.RetryPeriod)
}

// ParseTiming reads what String writes. Its error names what cannot be used.
func ParseTiming(text string) (Timing, error) {
	var t Timing
	words := strings.Split(text, "/")
	if len(words) != 3 {
		return Timing{}, fmt.Errorf("timing %q: must be lease/renew deadline/retry period, such as %v", text, Long)
	}
	for i, to := range []*time.Duration{&t.LeaseDuration, &t.RenewDeadline, &t.RetryPeriod} {
		d, err := time.ParseDuration(words[i])
		if err != nil {
			return Timing{}, fmt.Errorf("timing %q: %w", text, err)
		}
		*to = d
	}
	if err := t.validate(); err != nil {
		return Timing{}, fmt.Errorf("timing %q: %w", text, err)
	}
	return t, nil
}

// validate says which duration cannot be used.
func (t Timing) validate() error {
	for _, d := range []struct {
		name  string
		value time.Duration
	}{{"lease duration", t.LeaseDuration}, {"renew deadline", t.RenewDeadline}, {"retry period", t.RetryPeriod}} {
		if d.value <= 0 {
			return fmt.Errorf("%s %v: must be positive", d.name, d.value)
		}
	}
	return nil
}

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
	t := Timing{LeaseDuration: last.Lease, RenewDeadline: last.Lease * 2 / 3, RetryPeriod: max(unit, retry.Round(unit))}
	if err := t.validate(); err != nil {
		return Timing{}, fmt.Errorf("read the timing of the Lease: %w", err)
	}
	return t, nil
}
