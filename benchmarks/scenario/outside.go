package scenario

import (
	"time"

	"github.com/holdfast-go/holdfast/benchmarks/event"
)

// outside says of a program what a contender says of itself, from what can be seen
// without its help: who leads is whom the Lease names, from that write until the
// Lease is released, has ended or names another, or the process is gone.
type outside struct {
	leader string // empty if nobody leads
	end    time.Time
	harmed map[string]bool // copies that a fault was done to, who lose no lease by it
}

// derive returns what follows from e, which has just happened.
func (o *outside) derive(e event.Event) []event.Event {
	switch {
	case e.What == event.Fault:
		if o.harmed == nil {
			o.harmed = map[string]bool{}
		}
		o.harmed[e.On] = true
	case e.What == event.Committed:
		return o.committed(e)
	case e.What == event.Released && o.leader != "":
		return append(o.lost(e.Time, "the Lease was released, though nobody had asked"), o.stopped(e.Time)...)
	case e.What == event.Exited && e.Who == o.leader:
		lost := o.lost(e.Time, "the process has exited")
		o.leader = ""
		return lost
	case e.What == event.Ended:
		last := o.lapsed(e.Time)
		o.leader = "" // what comes after the end is no loss
		return last
	}
	return nil
}

func (o *outside) committed(e event.Event) []event.Event {
	// By the holder's own clock: a renewal in time may be seen after the end.
	derived := o.lapsed(e.RenewTime)
	if o.leader != "" && o.leader != e.Holder {
		derived = append(derived, o.lost(e.Time, "another holds the Lease")...)
		derived = append(derived, o.stopped(e.Time)...)
	}
	if o.leader == "" {
		o.leader = e.Holder
		derived = append(derived, event.Event{Time: e.Time, Who: e.Holder, What: event.Leading})
	}
	o.end = e.RenewTime.Add(e.Lease)
	return derived
}

// lapsed ends the term of a leader whose lease had ended by the time by.
func (o *outside) lapsed(by time.Time) []event.Event {
	if o.leader == "" || !by.After(o.end) {
		return nil
	}
	return append(o.lost(o.end, "the lease has ended"), o.stopped(o.end)...)
}

func (o *outside) lost(at time.Time, why string) []event.Event {
	if o.harmed[o.leader] {
		return nil
	}
	return []event.Event{{Time: at, Who: o.leader, What: event.Lost, Reason: why}}
}

func (o *outside) stopped(at time.Time) []event.Event {
	who := o.leader
	o.leader = ""
	return []event.Event{{Time: at, Who: who, What: event.Stopped}}
}

// held reports whether the last write of the Lease gives it to somebody whose
// process runs, for longer than until the time at.
func held(events []event.Event, at time.Time) bool {
	held := false
	holder := ""
	for _, e := range events {
		switch {
		case e.What == event.Committed:
			holder, held = e.Holder, e.RenewTime.Add(e.Lease).After(at)
		case e.What == event.Released, e.What == event.Exited && e.Who == holder:
			held = false
		}
	}
	return held
}
