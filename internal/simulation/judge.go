package simulation

import (
	"fmt"
	"time"

	rl "github.com/holdfast-go/holdfast/resourcelock"
)

// Result is what a world came to.
type Result struct {
	// Elections is how many terms began.
	Elections int
	// Simulated is how long the world lasted by its own time.
	Simulated time.Duration
	// Violation is the first promise that was broken, nil if none was.
	Violation *Violation
	// Overlaps counts, by cause, the moments at which two led.
	Overlaps map[Cause]int
	// Prompt is how many times a candidate with a working watch, on a good
	// network, claimed a lease that it might; Worst is the longest it took from
	// the moment it might to the moment it did.
	Prompt int
	Worst  time.Duration
	// Ended counts terms by the reason they ended for.
	Ended map[string]int
	// Timeline is the newest of what happened, one event a line.
	Timeline string
	// Outlasted is how many terms outlasted a fault of their host's network.
	Outlasted int
}

// Violation is a promise that was broken.
type Violation struct {
	// Law names the promise.
	Law string
	// What happened, to whom, when.
	What string
	// Timeline is what led to it, one event a line.
	Timeline string
}

func (v *Violation) String() string {
	return fmt.Sprintf("%s: %s\n%s", v.Law, v.What, v.Timeline)
}

// Cause is why two led at once.
type Cause string

const (
	// LateAnswer: a renewal whose answer was late was counted from the answer.
	LateAnswer Cause = "late answer counted from the answer"
	// ReleasedEarly: the lease was released before the work had stopped.
	ReleasedEarly Cause = "release before the work has stopped"
	// ReleaseFirst: the term was over and the work not yet told, because an
	// attempt to release came first.
	ReleaseFirst Cause = "release attempt before cancellation"
	// NotRenewed: the lease ran out while work that was told to stop still ran.
	NotRenewed Cause = "lease not renewed while the work stops"
	// Deleted: the Lease was deleted, and another led at once.
	Deleted Cause = "lease deleted"
	// SameSecond: renewals within one second were taken for one.
	SameSecond Cause = "renewals within one second look alike"
	// Otherwise is any other cause.
	Otherwise Cause = "another cause"
)

// claimWithin is how soon after it may a candidate claims the lease.
const claimWithin = 50 * time.Millisecond

// violated notes that a promise was broken; the mutex is held.
func (w *World) violated(law string, p *Process, format string, args ...any) {
	what := p.name + ": " + fmt.Sprintf(format, args...)
	w.note(p.name, "VIOLATION of %q: %s", law, what)
	if w.result.Violation != nil || w.options.Reference {
		return
	}
	w.result.Violation = &Violation{
		Law: law, What: what,
		Timeline: w.heading.since(0, remembered) + "    ...\n" + w.timeline.since(max(1, w.now()-3*w.timing.Lease), 160),
	}
}

// overlap notes that p leads while other's work still runs. One whose claim was
// misled by a backup has waited for all that it could know of, and may meet who led
// before that was restored.
func (w *World) overlap(other *occupant, p *Process) {
	if p.sight.misled && other.since < w.lastRestore {
		return
	}
	a := other.p
	cause := w.cause(other)
	w.result.Overlaps[cause]++
	w.violated("overlap", p, "leads while the work of %s still runs, told to stop: %v (%s)", a.name, !a.leading, cause)
}

// cause tells why the work of the process inside overlaps that of another.
func (w *World) cause(inside *occupant) Cause {
	a, t := inside.p, w.timing
	var renewed time.Duration // when the lease was renewed last
	for i := len(w.store.history) - 1; i >= 0 && w.store.history[i].committed > inside.since; i-- {
		switch s := w.store.history[i]; {
		case !s.Exists():
			return Deleted
		case s.author == a && s.Record.HolderIdentity == "":
			return ReleasedEarly
		case s.author == a:
			renewed = max(renewed, s.committed)
		}
	}
	told := w.now() // when the work was told to stop
	if !a.leading {
		told = a.ended
	}
	switch delay := a.heard - a.clock.trulyAt(a.confirmed); {
	case w.now()-renewed < t.Lease:
		return SameSecond
	case a.cancelled && !a.leading:
		return NotRenewed
	case delay > t.Lease/20 && told-a.heard <= t.Retry+t.Deadline+8*clearDelay:
		return LateAnswer
	case a.Release && told-a.heard > t.Retry+t.Deadline:
		return ReleaseFirst
	}
	return Otherwise
}

// committed judges a write at its commit.
func (w *World) committed(p *Process, s state) {
	r := s.Record
	if r.HolderIdentity == "" {
		w.note(p.name, "* releases the lease, version %s", s.ResourceVersion)
		if p.working {
			w.violated("release order", p, "released the lease while its work runs")
		}
		return
	}
	w.note(p.name, "* %q is written as holder, version %s, sent %v ago", r.HolderIdentity, s.ResourceVersion, p.clock.Since(s.sent))
}

// sends judges a write at its sending.
func (p *Process) sends(base string, next rl.LeaderElectionRecord) {
	w := p.world
	what := "a claim"
	switch {
	case next.HolderIdentity == "":
		what = "a release"
	case p.claiming(base, next):
		p.claims(base)
	default:
		what = "a renewal"
	}
	w.note(p.name, "sends %s on version %q", what, base)
	if now := p.clock.Now(); !p.stopBy.IsZero() && p.working && now.After(p.stopBy.Add(2*p.clock.grain)) && w.now()-p.host.woke > noticed {
		w.violated("stop timeout", p, "writes %v after its work should have stopped, which still runs", now.Sub(p.stopBy))
	}
}

// claiming reports whether a write of record, based on a version, is to begin a
// term: it is the first of its holder, or the first after the API server's
// appointment. A claim is renewed when it is made; below a millisecond its times
// may differ, so that no two are the same.
func (p *Process) claiming(base string, record rl.LeaderElectionRecord) bool {
	if p.Coordinated {
		s := p.world.store.current()
		return record.HolderIdentity != "" && !p.working && s.author == nil && s.ResourceVersion == base
	}
	return record.HolderIdentity != "" && !p.working && record.AcquireTime.Truncate(time.Millisecond).Equal(record.RenewTime.Truncate(time.Millisecond))
}

// told judges what a process is told: the state s, by a request sent at sent.
func (p *Process) told(s state, kind string, sent time.Duration) {
	w := p.world
	written := s.author == p && s.held()
	mine := written && !s.emptied && !(p.Coordinated && s.Record.PreferredHolder != "")
	if written && s.sent.After(p.confirmed) {
		if p.leading && w.now()-p.heard > 2*p.Timing.Retry {
			w.result.Outlasted++
		}
		p.confirmed, p.heard, p.unsure = s.sent, w.now(), s.dubious
	}
	if mine && s.claim && !p.leading && (kind == "write" || w.has(Strict)) && !p.catchingUp(kind) && !s.edited && s.sent.After(p.campaigns) && s.position == w.store.current().position {
		p.mustLead(s, kind)
	}
	// Over HTTP an answer may come for an attempt that its call has given up.
	if !mine && p.leading && kind != "watch" && !w.has(HTTP) && sent > p.work.since && !(s.author == p && s.dubious) && s.before != p {
		p.mustEnd(kind)
	}
	p.sees(s)
	if p.host.ambush && kind == "write" && w.now()-sent > p.Timing.Deadline/4 {
		p.host.setNetwork(Cut, 2*p.Timing.Lease)
	}
}

// catchingUp reports whether what a watch tells may wait for a read: a lock over
// HTTP reads what came before its watch, once that is open.
func (p *Process) catchingUp(kind string) bool {
	return kind == "watch" && p.world.has(HTTP) && (p.stream == nil || p.world.now()-p.stream.opened < p.attempt())
}

// turn is how long after waking a process on a plain lock may send what it had
// decided on before: one call waits for another, and gives that one's caller a
// moment.
const turn = 20 * time.Millisecond

// mustLead checks that a claim that is known to have succeeded begins a term.
func (p *Process) mustLead(s state, kind string) {
	w, terms, campaigns := p.world, p.terms, p.campaigns
	if p.clock.fastest(s.sent) >= p.Timing.Term()-2*time.Millisecond {
		return // too late
	}
	if p.leading {
		return // its watch was faster than the answer
	}
	if p.host.plain && p.sight.claimed-p.host.woke <= turn {
		return // it had waited for its turn while the process was stopped, and counts from before that
	}
	time.AfterFunc(time.Millisecond, func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		if p.terms == terms && p.campaigns.Equal(campaigns) && !p.cancelled && !p.returned && !p.dead() && !p.host.paused() && !w.over &&
			w.store.current().position == s.position {
			w.violated("takeover", p, "was told by a %s that its claim succeeded, and does not lead", kind)
		}
	})
}

// mustEnd checks that a leader that is told of another state ends its term.
func (p *Process) mustEnd(kind string) {
	w, terms := p.world, p.terms
	w.note(p.name, "is told by a %s that the lease is not its own", kind)
	time.AfterFunc(time.Millisecond, func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		if p.terms == terms && p.leading && !p.dead() && !p.host.paused() && !w.over && !w.options.Reference {
			w.violated("loss", p, "was told that the lease is not its own, and leads on")
		}
	})
}

// termEnds judges the moment at which the work's context has ended.
func (p *Process) termEnds(tenure Tenure) {
	w := p.world
	if p.dead() {
		return
	}
	p.leading, p.ended = false, w.now()
	p.campaigns = p.clock.Now()
	reason := tenure.Reason()
	since, length := p.clock.Since(p.confirmed), p.Timing.Term()
	w.note(p.name, "ENDS its term: %s, %v after its last renewal was sent", reason, since)
	if w.result.Ended == nil {
		w.result.Ended = map[string]int{}
	}
	w.result.Ended[reason]++
	exactly := 2*time.Microsecond + 2*p.clock.grain // timers are late by a microsecond at most
	calm := w.now()-p.host.disturbed() > p.clock.truly(length)+noticed
	switch {
	case w.options.Reference:
	case since > length+exactly && w.now()-p.host.woke > noticed:
		w.violated("length of a term", p, "led for %v after its last renewal was sent, not %v", since, length)
	case reason == RenewDeadline && since < w.stored(length)-exactly && !p.host.plain && !p.host.deaf && !p.unsure && !w.has(HTTP) && calm:
		// (The calls of a plain lock take turns, and those of a deaf one wait for room:
		// a write may leave some time after the elector meant to send it, and counts
		// from then. Over HTTP an answer may come for an attempt that its call has given
		// up.)
		w.violated("length of a term", p, "gave up %v after its last renewal was sent, not %v", since, length)
	case reason == RenewDeadline && p.host.bearable() && !p.host.deaf && w.stored(length) == length:
		w.violated("the lease is kept", p, "lost it although its requests could have been answered for %v", w.now()-p.host.since)
	case reason == SameIdentity && !p.mayMistake():
		w.violated("reason", p, "ended its term for a reason that does not exist here: %s", reason)
	case reason == InDoubt && !w.has(Suspension|ClockSteps):
		w.violated("reason", p, "ended its term for a reason that does not exist here: %s", reason)
	}
}

// bearable reports whether a leader on this host could have renewed its lease,
// by one write that was answered in time after the last failure.
func (h *Host) bearable() bool {
	p := h.process
	if h.network == Constant { // an edit, or a restore, costs two answers more
		term := p.clock.truly(p.Timing.Term())
		return h.unchangedFor(3*term) && h.world.now()-max(h.world.lastEdit, h.world.lastRestore) > 2*term
	}
	return h.clearFor(p.clock.truly(p.Timing.backoff()) + p.attempt() + 20*clearDelay)
}

// mayMistake reports whether there is someone who writes as this process does,
// or has edited what it knows its writes by.
func (p *Process) mayMistake() bool {
	s := p.world.store.current()
	if s.author == nil || s.author != p && s.author.Identity == p.Identity {
		return true
	}
	return s.author == p && (s.dubious || s.edited && p.host.plain)
}
