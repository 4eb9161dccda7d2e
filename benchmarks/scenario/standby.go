package scenario

import (
	"time"

	"github.com/holdfast-go/holdfast/benchmarks/event"
)

// Asked is how often a contender has asked the API for the Lease, and for anything
// else, in the time Over.
type Asked struct {
	Lease, Other int
	Over         time.Duration
}

// Plus is both together.
func (a Asked) Plus(b Asked) Asked {
	return Asked{Lease: a.Lease + b.Lease, Other: a.Other + b.Other, Over: a.Over + b.Over}
}

// askedAtRest returns what anyone but leader asked for from when both contended to
// the fault. Contenders that say what they ask for ask for nothing but the Lease.
func askedAtRest(events []event.Event, leader string, fault time.Time) Asked {
	settled, ok := first(events, func(e event.Event) bool { return e.What == event.Settled })
	if !ok {
		return Asked{}
	}
	a := Asked{Over: fault.Sub(settled.Time)}
	for _, e := range events {
		switch {
		case e.What != event.Requested, e.Who == leader, e.Time.Before(settled.Time), !e.Time.Before(fault):
		case e.On == "", e.On == theLease:
			a.Lease++
		default:
			a.Other++
		}
	}
	return a
}
