package main

import (
	"slices"
	"time"
)

// figures are what became of one fleet in one scenario.
type figures struct {
	scenario, fleet string
	fault           time.Time // zero: the scenario did not get that far
	holder          string    // who led when it happened
	lost            bool      // the holder's work was stopped though nobody had asked for it
	ended           bool      // the holder died or was asked to stop
	// leaseEnd is renewTime of the holder's last committed renewal plus the
	// duration that stands beside it.
	leaseEnd time.Time
	// renewal is when the holder's first renewal after the fault was committed,
	// lastBefore when the last one before it was.
	renewal, lastBefore time.Time
	// heir led next, from takeover on; empty if nobody did.
	heir     string
	takeover time.Time
	// leaderless is how long nobody's work ran after the fault; overlap is how
	// long more than one's did.
	leaderless, overlap time.Duration
}

// kept reports whether the holder led from the fault to the end of what was
// seen.
func (f figures) kept() bool { return !f.fault.IsZero() && !f.lost && !f.ended && f.heir == "" }

// settled reports whether there is nothing more to wait for: someone else leads,
// or the holder has renewed its lease when the one it had at the fault would
// have been over.
func (f figures) settled(lease time.Duration) bool {
	if f.fault.IsZero() {
		return false
	}
	return f.heir != "" || f.kept() && f.leaseEnd.Sub(f.fault) > 2*lease
}

// span is a stretch of time in which one contender's work ran.
type span struct {
	contender string
	from, to  time.Time
}

// spans returns when whose guarded work ran; what has not ended ends at until.
func spans(events []event, until time.Time) []span {
	var all []span
	running := map[string]time.Time{}
	stop := func(contender string, at time.Time) {
		if from, ok := running[contender]; ok {
			all = append(all, span{contender, from, at})
			delete(running, contender)
		}
	}
	for _, e := range events {
		switch e.kind {
		case leading:
			running[e.contender] = e.at
		case stopped, died:
			stop(e.contender, e.at)
		}
	}
	for contender := range running {
		stop(contender, until)
	}
	slices.SortFunc(all, func(a, b span) int { return a.from.Compare(b.from) })
	return all
}

// covered returns how long at least one, and how long more than one, of the
// spans ran between two moments.
func covered(all []span, from, to time.Time) (one, more time.Duration) {
	type edge struct {
		at   time.Time
		step int
	}
	var edges []edge
	for _, s := range all {
		if s.from.Before(from) {
			s.from = from
		}
		if s.to.After(to) {
			s.to = to
		}
		if s.from.Before(s.to) {
			edges = append(edges, edge{s.from, 1}, edge{s.to, -1})
		}
	}
	slices.SortFunc(edges, func(a, b edge) int {
		if c := a.at.Compare(b.at); c != 0 {
			return c
		}
		return a.step - b.step
	})
	running := 0
	for i, e := range edges {
		if i > 0 {
			length := e.at.Sub(edges[i-1].at)
			if running > 0 {
				one += length
			}
			if running > 1 {
				more += length
			}
		}
		running += e.step
	}
	return one, more
}

// evaluate computes the figures of one fleet from its events in the order of
// their times, as far as they are known at the moment now.
func evaluate(scenario, fleet string, events []event, now time.Time) figures {
	f := figures{scenario: scenario, fleet: fleet}
	until := now
	for _, e := range events {
		switch e.kind {
		case fault:
			f.fault = e.at
		case concluded:
			until = e.at
		case renewed:
			switch {
			case f.fault.IsZero():
				f.holder, f.lastBefore, f.leaseEnd = e.contender, e.at, e.leaseEnd
			case e.contender == f.holder:
				f.leaseEnd = e.leaseEnd
				if f.renewal.IsZero() {
					f.renewal = e.at
				}
			}
		}
	}
	if f.fault.IsZero() {
		return f
	}
	for _, e := range events {
		if e.at.Before(f.fault) || e.at.After(until) {
			continue
		}
		switch {
		case e.contender == f.holder && (e.kind == died || e.kind == stopping):
			f.ended = true
		case e.contender == f.holder && e.kind == stopped && !f.ended:
			f.lost = true
		case e.contender != f.holder && e.kind == leading && f.heir == "":
			f.heir, f.takeover = e.contender, e.at
		}
	}
	one, more := covered(spans(events, until), f.fault, until)
	f.leaderless, f.overlap = until.Sub(f.fault)-one, more
	return f
}
