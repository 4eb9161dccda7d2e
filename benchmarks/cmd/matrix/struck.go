package main

import (
	"time"

	"github.com/holdfast-go/holdfast/benchmarks/event"
)

// struck is when the first fault came, or else when the stream begins.
func struck(events []event.Event) time.Time {
	for _, e := range events {
		if e.What == event.Fault {
			return e.Time
		}
	}
	if len(events) == 0 {
		return time.Time{}
	}
	return events[0].Time
}
