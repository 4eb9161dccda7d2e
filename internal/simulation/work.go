package simulation

import (
	"context"
	"strconv"
	"time"
)

// Tenure is what guarded work knows of its term.
type Tenure struct {
	// Over is closed when the term has ended, whether or not the work has been
	// told to stop before; nil where the elector does not tell.
	Over <-chan struct{}
	// Token is the fencing token; empty where there is none.
	Token string
	// Reason says, once the work's context has ended, why: one of the words
	// below, or anything else.
	Reason func() string
}

// Reasons that the judge knows a law for.
const (
	Released      = "Released"
	Resigned      = "Resigned"
	RenewDeadline = "RenewDeadline"
	SameIdentity  = "SameIdentity"
	InDoubt       = "InDoubt"
)

// occupant is a process whose guarded work runs.
type occupant struct {
	p     *Process
	since time.Duration
	// overdue: its StopTimeout has passed, after which nothing is promised.
	overdue bool
	// excused is until when it may run though its term is over, since its process
	// has just begun to go on.
	excused time.Duration
	// left is closed when the work has stopped.
	left chan struct{}
}

// Work is the guarded work of a process: what OnStartedLeading is to call. It
// returns some time after ctx has ended, or now and then before.
func (p *Process) Work(ctx context.Context, tenure Tenure) {
	w := p.world
	w.mu.Lock()
	if p.dead() || w.over {
		w.mu.Unlock()
		return
	}
	me := w.enter(p, tenure)
	random := p.host.random("work")
	early := time.Duration(1 << 62)
	if random.IntN(20) == 0 {
		early = between(random, 0, 2*p.Timing.Lease)
	}
	w.mu.Unlock()

	ended := make(chan struct{})
	context.AfterFunc(ctx, func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		p.termEnds(tenure)
		close(ended)
	})
	timer := time.NewTimer(early)
	defer timer.Stop()
	select {
	case <-ended:
		p.stopWorking(me, tenure)
	case <-timer.C:
	case <-p.died:
	}
	p.hold("work")
	w.mu.Lock()
	defer w.mu.Unlock()
	w.leave(me)
}

// stopWorking lets pass the time that the work needs to stop.
func (p *Process) stopWorking(me *occupant, tenure Tenure) {
	w := p.world
	w.mu.Lock()
	random := p.host.random("work")
	stop := between(random, 0, p.host.slack+1)
	over := tenure.Over
	var stopBy time.Time
	patience := p.clock.wait(p.StopTimeout)
	if reason := tenure.Reason(); p.Release && (reason == Released || reason == Resigned) {
		switch random.IntN(10) {
		case 0:
			stop = 0
		case 1:
			stop = patience + between(random, time.Microsecond, p.Timing.Lease)
		default:
			stop = between(random, 0, patience)
		}
		stopBy = p.clock.Now().Add(p.StopTimeout)
		p.stopBy = stopBy
	} else {
		over = nil // it is, and the work stops within what that leaves it
		if w.options.Break == Stopping {
			stop += p.Timing.Lease
		}
	}
	w.note(p.name, "its work stops within %v", stop)
	w.mu.Unlock()

	until := time.Now().Add(stop)
	overdue := time.AfterFunc(patience, func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		me.overdue = !p.stopBy.IsZero() && p.working
	})
	defer overdue.Stop()
	for {
		timer := time.NewTimer(time.Until(until))
		select {
		case <-timer.C:
			return
		case <-p.died:
			timer.Stop()
			return
		case <-over:
			timer.Stop()
			over = nil
			if limit := time.Now().Add(p.host.slack); limit.Before(until) && p.clock.Now().Before(stopBy) {
				until = limit // lost while it was stopping
			}
		}
	}
}

// enter begins a term: the judge looks who else is inside.
func (w *World) enter(p *Process, tenure Tenure) *occupant {
	w.result.Elections++
	p.terms++
	p.leading, p.working = true, true
	p.stopBy = time.Time{}
	p.sight.forget()
	w.note(p.name, "LEADS, its term counts from %v ago", p.clock.Since(p.confirmed))
	for _, other := range w.inside {
		if (!other.overdue || other.p == p) && !other.p.dead() && !other.excusedAt(w) {
			w.overlap(other, p)
		}
	}
	if token, err := strconv.ParseUint(tenure.Token, 10, 64); err == nil {
		if token <= w.token && !w.has(Restores) {
			w.violated("fencing", p, "its fencing token %d is not greater than %d, that of an earlier term", token, w.token)
		}
		w.token = token
	}
	me := &occupant{p: p, since: w.now(), left: make(chan struct{})}
	p.work = me
	w.inside = append(w.inside, me)
	return me
}

// leave takes the work of me out.
func (w *World) leave(me *occupant) {
	for i, o := range w.inside {
		if o == me {
			w.inside = append(w.inside[:i:i], w.inside[i+1:]...)
			if o.p.work == o {
				o.p.working = false
			}
			close(o.left)
			w.note(o.p.name, "its work has stopped")
			return
		}
	}
}
