package simulation

import (
	"context"
	"time"
)

// noticed is how soon after its process runs again, or after the end of its term
// where that comes later, an elector knows that its term is over: by its own clock,
// which its timers follow.
const noticed = 100 * time.Millisecond

// pause stops the host's process, or suspends the host, for d; the mutex is held.
func (h *Host) pause(d time.Duration, suspended bool) {
	w := h.world
	if h.paused() || h.process == nil || h.process.dead() || h.process.exited {
		return
	}
	if suspended {
		w.note("host "+h.name, "is SUSPENDED for %v", d)
	} else {
		w.note(h.process.name, "is STOPPED for %v", d)
	}
	h.clock.pause(d+time.Microsecond, suspended) // what was due is so just after waking
	h.asleep = make(chan struct{})
	h.wakes = w.now() + d
	time.AfterFunc(d, func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		h.wake()
	})
}

func (h *Host) paused() bool { return h.asleep != nil }

// wake lets the host go on. A term that is over by then is to end soon, and its
// work after that.
func (h *Host) wake() {
	w := h.world
	close(h.asleep)
	h.asleep = nil
	h.woke = w.now()
	w.note("host "+h.name, "goes on")
	p := h.process
	if p == nil || p.dead() || p.work == nil || !p.working {
		return
	}
	me, terms, confirmed := p.work, p.terms, p.confirmed
	left := max(0, p.Timing.Term()-p.clock.fastest(confirmed))
	if w.stored(p.Timing.Term())-p.clock.fastest(confirmed) > noticed && p.leading {
		return // what time is left is the work's to stop in, as ever
	}
	late := p.clock.truly(left + noticed)
	me.excused = w.now() + late + h.slack
	time.AfterFunc(late, func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		if p.terms == terms && p.leading && !p.dead() && !w.over && !h.paused() && p.confirmed.Equal(confirmed) {
			w.violated("waking", p, "leads on %v after waking past the end of its term", noticed)
		}
	})
	time.AfterFunc(late+h.slack+time.Microsecond, func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		for _, other := range w.inside {
			if other != me && p.working && p.work == me && !me.overdue && !w.over && !me.excusedAt(w) && !other.excusedAt(w) && p.confirmed.Equal(confirmed) {
				w.overlap(me, other.p)
			}
		}
	})
}

// excusedAt reports whether o's work may run beside another's now: its process
// does nothing, or has just begun to go on.
func (o *occupant) excusedAt(w *World) bool { return o.p.host.paused() || w.now() < o.excused }

// hold waits until the process is not paused: what comes from outside is heard
// then. It is false if the process dies first.
func (p *Process) hold(purpose string) bool {
	w := p.world
	for held := false; ; held = true {
		w.mu.Lock()
		asleep := p.host.asleep
		moment := time.Duration(p.host.chance(purpose).IntN(int(time.Microsecond)))
		w.mu.Unlock()
		if asleep == nil {
			if held { // one after another, so that a seed replays
				return p.wait(context.Background(), moment) == nil
			}
			return true
		}
		select {
		case <-asleep:
		case <-p.died:
			return false
		}
	}
}

// disturbed is when the host's clock or its process was last meddled with.
func (h *Host) disturbed() time.Duration { return max(h.woke, h.stepped) }
