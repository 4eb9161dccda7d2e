package scenario

import (
	"time"

	"github.com/holdfast-go/holdfast/benchmarks/event"
)

// term is one stretch of guarded work of one contender.
type term struct {
	who      string
	from, to time.Time
	// ended is false for work that still ran at the end of the run, to.
	ended bool
}

// terms returns the guarded work in events, in the order in which it began.
// Work ends when it has returned or when its process is gone; work that does
// neither lasts until end.
func terms(events []event.Event, end time.Time) []term {
	var all []term
	open := map[string]int{}
	for _, e := range events {
		at, working := open[e.Who]
		switch e.What {
		case event.Leading:
			if !working {
				open[e.Who] = len(all)
				all = append(all, term{who: e.Who, from: e.Time, to: end})
			}
		case event.Stopped, event.Exited:
			if working {
				all[at].to, all[at].ended = e.Time, true
				delete(open, e.Who)
			}
		}
	}
	return all
}

// leading returns who worked at the time at, empty if nobody did. Of several
// it is who began last.
func leading(terms []term, at time.Time) string {
	who := ""
	for _, t := range terms {
		if !t.from.After(at) && t.to.After(at) {
			who = t.who
		}
	}
	return who
}

// successor returns the first work of anyone but leader that began after the
// fault.
func successor(terms []term, leader string, fault time.Time) (term, bool) {
	for _, t := range terms {
		if t.who != leader && t.from.After(fault) {
			return t, true
		}
	}
	return term{}, false
}

// workEnd returns when the last work of leader that began before the time
// before had ended; zero if it has not ended.
func workEnd(terms []term, leader string, before time.Time) time.Time {
	var end time.Time
	for _, t := range terms {
		if t.who == leader && t.from.Before(before) {
			end = time.Time{}
			if t.ended {
				end = t.to
			}
		}
	}
	return end
}

// overlap returns for how long the work of different contenders ran at the
// same time; each pair counts for itself.
func overlap(terms []term) time.Duration {
	var sum time.Duration
	for i, a := range terms {
		for _, b := range terms[i+1:] {
			if a.who == b.who {
				continue
			}
			from, to := b.from, b.to
			if a.to.Before(to) {
				to = a.to
			}
			if both := to.Sub(from); both > 0 {
				sum += both
			}
		}
	}
	return sum
}
