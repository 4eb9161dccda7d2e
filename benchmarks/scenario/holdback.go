package scenario

import "time"

// holdback is the rule by which a relay treats what passes it, without clocks
// and connections. Until it begins everything passes at once. The first answer
// after that, and whatever else passes within the time by from then, reaches
// its client late by that time; of what comes later nothing reaches anyone.
// One that lasts makes every answer late and loses nothing.
type holdback struct {
	lasts bool
	by    time.Duration // 0: it has not begun
	// first is when the first answer was held back; zero before that.
	first time.Time
}

// begin holds back the next answer by the time by.
func (h *holdback) begin(by time.Duration) { *h = holdback{by: by} }

// lag makes every answer late by the time by from now on.
func (h *holdback) lag(by time.Duration) { *h = holdback{by: by, lasts: true} }

// answer returns when bytes of a server that arrive at the time at are due at
// the client, and whether they ever are.
func (h *holdback) answer(at time.Time) (due time.Time, ever bool) {
	if h.by == 0 {
		return at, true
	}
	if h.first.IsZero() {
		h.first = at
	}
	return at.Add(h.by), h.request(at)
}

// request reports whether bytes of a client that arrive at the time at reach
// the server.
func (h *holdback) request(at time.Time) bool {
	return h.lasts || h.by == 0 || h.first.IsZero() || at.Before(h.first.Add(h.by))
}
