package scenario

import (
	"time"

	"github.com/holdfast-go/holdfast/benchmarks/event"
)

// leaderlessAfter returns for how long nobody led from the fault to end, and whether
// nobody did at the end. The work of whom a fault was done to counts until then: on a
// host that is cut off it may go on, and is of use to nobody. The terms are in the
// order in which they began.
func leaderlessAfter(events []event.Event, terms []term, fault, end time.Time) (sum time.Duration, atEnd bool) {
	harmed := map[string]time.Time{}
	for _, e := range events {
		if e.What == event.Fault && harmed[e.On].IsZero() {
			harmed[e.On] = e.Time
		}
	}
	// The last that ends before the fault is where it begins.
	led := []term{{from: fault, to: fault}}
	for _, t := range terms {
		if at, ok := harmed[t.who]; ok && t.to.After(at) {
			t.to = at
		}
		if t.to.After(fault) {
			led = append(led, t)
		}
	}
	for _, gap := range leaderless(led, end) {
		sum += gap
	}
	until := fault
	for _, t := range led {
		if t.to.After(until) {
			until = t.to
		}
	}
	return sum, until.Before(end)
}
