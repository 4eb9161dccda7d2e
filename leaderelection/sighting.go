package leaderelection

import "time"

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
func (r *reporter) joins() { r.see(sighting{at: r.clock.now()}) }

// leaves notes that the contender sees nothing any more.
func (r *reporter) leaves() { r.see(sighting{}) }

func (r *reporter) see(s sighting) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.seen = s
}

// lastSighting returns when which holder was seen last, be it this elector by
// its own last renewal in term, which may be nil.
func (r *reporter) lastSighting(term *Term) sighting {
	r.mu.Lock()
	seen := r.seen
	r.mu.Unlock()
	if term == nil || !seen.joined() {
		return seen
	}
	if sent := term.lastSent(); sent.monoSince(seen.at) > 0 {
		return sighting{at: sent, holder: term.holder, lease: r.lease}
	}
	return seen
}
