package leaderelection

import "time"

// Status is what an elector knows at one moment.
type Status struct {
	// Leading says that a term lasts and is not in doubt.
	Leading bool
	// InDoubt says that a term has not ended, but that its time is over by some
	// clock of the machine.
	InDoubt bool
	// Rest is what is left of the term unless it is renewed, by the fastest of the
	// machine's clocks; zero where none lasts.
	Rest time.Duration
	// Holder is the last holder that was seen, empty if nobody held the lease.
	Holder string
	// Leaderless is for how long no leader has been seen: since the lease of the
	// last holder ran out or was released or, before any was seen, since the
	// contender joined. The last holder may be this elector, whose renewals count
	// as seen. Zero while there is a leader, and while Run does not run.
	Leaderless time.Duration
}

// statusOf returns what is known at now of a newest term, which may be nil, and of what was
// seen.
func statusOf(term *Term, reports *reporter, now instant) Status {
	s := Status{Holder: reports.lastHolder()}
	if term != nil {
		s.Leading = term.Err() == nil
		s.InDoubt = !s.Leading && term.lasts()
		if s.Leading {
			s.Rest = max(0, term.fastRest(now))
		}
	}
	if !s.Leading {
		s.Leaderless = reports.lastSighting(term).leaderless(now)
	}
	return s
}

// lasts reports whether nobody has ended the term yet.
func (t *Term) lasts() bool {
	select {
	case <-t.done:
		return false
	default:
		return true
	}
}
