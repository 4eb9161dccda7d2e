package leaderelection

import "time"

// Status is what an elector knows at one moment.
type Status struct {
	// Leading says that a term lasts and is not in doubt.
	Leading bool
	// InDoubt says that a term has not ended, but that its time is over by some
	// clock of the machine.
	InDoubt bool
	// Rest is what is left of the term unless it is renewed; zero where none
	// lasts.
	Rest time.Duration
	// Holder is the last holder that was seen, empty if nobody held the lease.
	Holder string
	// Leaderless is for how long no leader has been seen: since the lease of the
	// last holder ran out or was released or, before any was seen, since the
	// contender joined. Zero while there is one, and before Run.
	Leaderless time.Duration
}

// Status returns what the elector knows now.
func (le *LeaderElector) Status() Status {
	s := Status{Holder: le.GetLeader()}
	now := le.clock.now()
	if term := le.Term(); term != nil {
		s.Leading = term.Err() == nil
		s.InDoubt = !s.Leading && term.lasts()
		if s.Leading {
			s.Rest = max(0, term.rest(now))
		}
	}
	if !s.Leading {
		le.mu.Lock()
		s.Leaderless = le.seen.leaderless(now)
		le.mu.Unlock()
	}
	return s
}

// sighting is when which holder was seen last. The zero sighting is of a
// contender that has not joined.
type sighting struct {
	at     instant
	holder string
	lease  time.Duration
}

// leaderless returns for how long nobody has led as far as a sighting tells.
func (s sighting) leaderless(now instant) time.Duration {
	switch {
	case s.at.mono.IsZero():
		return 0
	case s.holder == "":
		return now.steady(s.at)
	default:
		return max(0, now.steady(s.at)-s.lease)
	}
}

// await notes that the contender has joined, if it has seen nothing yet.
func (le *LeaderElector) await() {
	le.mu.Lock()
	defer le.mu.Unlock()
	if le.seen.at.mono.IsZero() {
		le.seen.at = le.clock.now()
	}
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
