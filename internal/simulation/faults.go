package simulation

import (
	"context"
	"math/rand/v2"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
)

// injectFaults makes things happen until enough terms have begun, or the world has
// lasted absurdly long for that.
func (w *World) injectFaults(random *rand.Rand) {
	limit := time.Duration(w.options.Elections+20) * 20 * w.timing.Lease
	for {
		time.Sleep(between(random, w.timing.Lease/20, w.timing.Lease*6/5))
		w.mu.Lock()
		enough := w.result.Elections >= w.options.Elections || w.result.Violation != nil
		if !enough && w.now() > limit {
			w.violated("progress", w.hosts[0].someone(), "only %d terms began in %v", w.result.Elections, w.now())
			enough = true
		}
		if enough {
			w.mu.Unlock()
			return
		}
		w.injectFault(random)
		for _, h := range w.hosts {
			h.watched()
			h.remembers()
		}
		w.mu.Unlock()
	}
}

func (h *Host) someone() *Process {
	if h.process != nil {
		return h.process
	}
	return &Process{name: h.name, host: h, world: h.world}
}

// injectFault makes one thing happen; the mutex is held.
func (w *World) injectFault(random *rand.Rand) {
	l := w.timing.Lease
	host := w.hosts[random.IntN(len(w.hosts))]
	leader := w.leader()
	if leader != nil && random.IntN(4) > 0 {
		host = leader.host // leaders have the harder life
	}
	if len(w.faults) > 0 && random.IntN(3) == 0 {
		w.faults[random.IntN(len(w.faults))](random)
		return
	}
	switch dice := random.IntN(100); {
	case dice < 22:
		w.crash(host, random)
	case dice < 44:
		w.cancel(host)
	case dice < 49:
		w.resign(host)
	case dice < 60:
		host.setNetwork(Cut, between(random, l/10, 2*l))
	case dice < 70:
		host.setNetwork(NetworkCondition(1+random.IntN(int(drawnConditions-1))), between(random, l/10, 3*l/2))
	case dice < 76: // an answer comes late, and then nothing more
		host.setNetwork(LateAnswers, 2*w.timing.Deadline)
		host.ambush = true
	case dice < 81: // the API is away for all
		network := []NetworkCondition{Cut, Refused, Overloaded}[random.IntN(3)]
		for d, i := between(random, l/10, 2*l), 0; i < len(w.hosts); i++ {
			w.hosts[i].setNetwork(network, d+time.Duration(i)) // one after another, so that a seed replays
		}
	case dice < 87:
		w.edit()
	case dice < 90:
		w.delete()
	case dice < 97:
		w.breakWatches(random)
	}
}

// leader returns the process that leads, if any.
func (w *World) leader() *Process {
	for _, h := range w.hosts {
		if h.process != nil && h.process.leading && !h.process.dead() {
			return h.process
		}
	}
	return nil
}

func (w *World) crash(h *Host, random *rand.Rand) {
	p := h.process
	if p == nil || p.dead() || p.exited {
		return
	}
	w.note(p.name, "CRASHES")
	p.crash()
	h.startIn(between(random, 0, 3*w.timing.Lease/2))
}

func (w *World) cancel(h *Host) {
	p := h.process
	if p == nil || p.dead() || p.exited || p.cancelled || p.returned || h.paused() {
		return
	}
	w.note(p.name, "is CANCELLED")
	p.cancelled = true
	p.cancel()
	w.mustReturn(p)
}

// mustReturn judges whether Run returns in time after its context has ended.
func (w *World) mustReturn(p *Process) {
	ended, joined := w.now(), p.joined
	bound := p.clock.truly(p.Timing.Retry) + 200*time.Millisecond
	if p.Release {
		bound += p.clock.truly(p.StopTimeout)
	}
	time.AfterFunc(bound, func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		if p.joined == joined && !p.returned && !p.dead() && !w.over && !w.options.Reference && p.host.disturbed() < ended && !p.host.paused() {
			w.violated("return", p, "Run has not returned %v after its context ended", bound)
		}
	})
}

func (w *World) resign(h *Host) {
	p := h.process
	if p == nil || p.dead() || p.exited || p.cancelled || p.Resign == nil || !p.leading || h.paused() {
		return
	}
	w.note(p.name, "is asked to RESIGN")
	p.resigned = w.now()
	w.running.Go(func() {
		ctx, cancel := context.WithTimeout(p.Context(), p.StopTimeout)
		defer cancel()
		_ = p.Resign(ctx, p.next()) // whatever it came to, the judge sees it
		w.mu.Lock()
		p.resigned = w.now()
		w.mu.Unlock()
	})
}

func (w *World) edit() {
	if w.store.current().Exists() {
		w.lastEdit = w.now()
		w.store.edit(w.now(), func(*state) {})
		w.note("someone", "edits a label of the Lease, version %s", w.store.current().ResourceVersion)
	}
}

// delete removes the Lease if everyone knows of its holder (limits in the
// package comment).
func (w *World) delete() {
	if w.has(Coordinated) { // the API server creates it at once, for anyone
		return
	}
	if !w.store.current().Exists() || w.now() < w.lastCreate+3*w.timing.Lease || w.now() < w.fresh {
		return
	}
	for _, h := range w.hosts {
		p := h.process
		if p == nil || p.exited || p.dead() {
			continue
		}
		if !p.sight.known || !p.sight.state.held() || p.sight.state.Record.HolderIdentity != w.store.current().Record.HolderIdentity {
			return
		}
	}
	w.note("someone", "DELETES the Lease")
	w.store.delete(w.now())
	w.fresh, w.lastEdit = w.now(), w.now()
	slowest := &Clock{ppm: million - w.timing.Tolerance()}
	for _, h := range w.hosts {
		w.fresh = max(w.fresh, w.now()+slowest.truly(h.timing.Lease), h.wakes+slowest.truly(h.timing.Lease))
	}
}

// breakWatches breaks some of the watches that are open.
func (w *World) breakWatches(random *rand.Rand) {
	kind := random.IntN(4)
	for _, h := range w.hosts {
		if h.process == nil || h.process.stream == nil || random.IntN(2) == 0 {
			continue
		}
		p, s := h.process, h.process.stream
		switch kind {
		case 0:
			s.silent = true
			w.note(p.name, "  its watch falls silent")
		case 1:
			s.lag = between(random, 0, w.timing.Lease)
			w.note(p.name, "  its watch lags by %v", s.lag)
		default:
			select {
			case <-s.ended:
				continue
			default:
			}
			if kind == 2 {
				s.reason = apierrors.NewResourceExpired("too old resource version")
			}
			w.note(p.name, "  its watch ends: %v", s.reason)
			close(s.ended)
		}
	}
}
