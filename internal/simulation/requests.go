package simulation

import "time"

// requests counts what a process has sent in the last minute.
type requests struct {
	at []time.Duration
	// told: the judge has spoken.
	told bool
}

// most returns how many requests of one contender a minute may hold: two a
// second. Where the retry period is shorter than a second, calls may be nearly two
// in each, and the dialer tries those that are refused again on other connections.
func (t Timing) most() int {
	if t.Retry >= time.Second {
		return 120
	}
	return int(150 * float64(time.Second) / float64(t.Retry))
}

// counts counts a request; the mutex is held. What no API server hears of, the
// dialer may try again more often than a request.
func (p *Process) counts(kind string, f requestFate) {
	w := p.world
	if w.has(HTTP) && (f.requestLost || f.errBefore == errRefused) {
		return
	}
	r := &p.requests
	now := w.now()
	r.at = append(r.at, now)
	old := 0
	for old < len(r.at) && r.at[old] <= now-time.Minute {
		old++
	}
	if old > len(r.at)/2 {
		r.at = append(r.at[:0], r.at[old:]...)
		old = 0
	}
	if most := p.Timing.most(); len(r.at)-old > most && !r.told {
		r.told = true
		w.violated("requests", p, "sends a %s, its %dth request in a minute", kind, len(r.at)-old)
	}
}

// mostRemembered bounds what an elector remembers of its failures.
const mostRemembered = 64

// remembers judges what the host's process remembers; the mutex is held.
func (h *Host) remembers() {
	p := h.process
	if p == nil || p.dead() || p.exited || p.Remembered == nil || !h.world.has(Strict|Refusals) {
		return
	}
	if n := p.Remembered(); n > mostRemembered {
		h.world.violated("memory", p, "remembers %d things", n)
	}
}
