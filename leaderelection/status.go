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

// Status returns what the elector knows now.
func (le *LeaderElector) Status() Status {
	s := Status{Holder: le.GetLeader()}
	now := le.clock.now()
	term := le.Term()
	if term != nil {
		s.Leading = term.Err() == nil
		s.InDoubt = !s.Leading && term.lasts()
		if s.Leading {
			s.Rest = max(0, term.fastRest(now))
		}
	}
	if !s.Leading {
		s.Leaderless = le.lastSighting(term).leaderless(now)
	}
	return s
}

// lastSighting returns when which holder was seen last, be it this elector by
// its own last renewal in term.
func (le *LeaderElector) lastSighting(term *Term) sighting {
	le.mu.Lock()
	seen := le.seen
	le.mu.Unlock()
	if term == nil || !seen.joined() {
		return seen
	}
	if sent := term.lastSent(); sent.monoSince(seen.at) > 0 {
		return sighting{at: sent, holder: term.holder, lease: le.timing.lease}
	}
	return seen
}

// sighting is when which holder was seen last. The zero sighting is of a
// contender that has not joined.
type sighting struct {
	at     instant
	holder string
	lease  time.Duration
}

func (s sighting) joined() bool { return !s.at.mono.IsZero() }

// leaderless returns for how long nobody has led as far as a sighting tells.
func (s sighting) leaderless(now instant) time.Duration {
	switch {
	case !s.joined():
		return 0
	case s.holder == "":
		return now.monoSince(s.at)
	default:
		return max(0, now.monoSince(s.at)-s.lease)
	}
}

// joins notes that the contender has joined and has seen nothing yet.
func (le *LeaderElector) joins() { le.see(sighting{at: le.clock.now()}) }

// leaves notes that the contender sees nothing any more.
func (le *LeaderElector) leaves() { le.see(sighting{}) }

func (le *LeaderElector) see(s sighting) {
	le.mu.Lock()
	defer le.mu.Unlock()
	le.seen = s
}

// inDoubt returns why the term is in doubt, nil where it is not or there is
// none.
func (le *LeaderElector) inDoubt() error {
	term := le.Term()
	if term == nil {
		return nil
	}
	if err := term.Err(); err != nil && term.lasts() {
		return err
	}
	return nil
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
