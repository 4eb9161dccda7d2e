package starved

import (
	"slices"
	"sync"
	"time"
)

// record is what was heard of who leads, for all leases of a measurement. It is
// safe for concurrent use.
type record struct {
	mu    sync.Mutex
	terms []term
}

// term is one term of one elector; it still lasts while to is zero.
type term struct {
	lease, who string
	from, to   time.Time
}

func (r *record) heard(l line) {
	if l.Lease == "" {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if l.Leads {
		r.terms = append(r.terms, term{lease: l.Lease, who: l.Who, from: l.Time})
		return
	}
	for i := len(r.terms) - 1; i >= 0; i-- {
		if t := &r.terms[i]; t.lease == l.Lease && t.who == l.Who {
			t.to = l.Time
			return
		}
	}
}

// died ends every term of the electors whose process was killed.
func (r *record) died(at time.Time, of func(who string) bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for i := range r.terms {
		if t := &r.terms[i]; t.to.IsZero() && of(t.who) {
			t.to = at
		}
	}
}

// leading is how many leases are led now.
func (r *record) leading() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	led := map[string]bool{}
	for _, t := range r.terms {
		if t.to.IsZero() {
			led[t.lease] = true
		}
	}
	return len(led)
}

// between says what happened from one instant to another: how many terms ended, and
// for how long a lease was led, of all the time that there was.
func (r *record) between(from, to time.Time, leases int) (lost int, share float64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	byLease := map[string][]term{}
	for _, t := range r.terms {
		if !t.to.IsZero() && t.to.After(from) && t.to.Before(to) {
			lost++
		}
		byLease[t.lease] = append(byLease[t.lease], t)
	}
	var led time.Duration
	for _, terms := range byLease {
		led += covered(terms, from, to)
	}
	return lost, float64(led) / float64(to.Sub(from)) / float64(leases)
}

// covered is how much of the time between two instants at least one term covers.
func covered(terms []term, from, to time.Time) (all time.Duration) {
	slices.SortFunc(terms, func(a, b term) int { return a.from.Compare(b.from) })
	at := from
	for _, t := range terms {
		end := t.to
		if end.IsZero() || end.After(to) {
			end = to
		}
		begin := t.from
		if begin.Before(at) {
			begin = at
		}
		if end.After(begin) {
			all += end.Sub(begin)
			at = end
		}
	}
	return all
}
