package simulation

import (
	"reflect"
	"time"

	"github.com/holdfast-go/holdfast/internal/bounded"
)

// sight is what a candidate has seen of the lease, by which the judge knows
// when it may claim it.
type sight struct {
	state state
	known bool
	// first is when, by the process's clock, it was told of this record first;
	// may is the true time from which it may claim it.
	first       time.Time
	claimableAt time.Duration
	// told is when it was told of the record first, truly.
	told time.Duration
	// claimed is when it sent its last claim.
	claimed time.Duration
	check   *time.Timer
	// alike: the record is one that a backup has brought back, and what the process
	// is shown of it is what it knew before. misled is that of its last claim.
	alike, misled bool
}

// forget ends the judge's interest: the process is no candidate any more.
func (s *sight) forget() {
	if s.check != nil {
		s.check.Stop()
	}
}

// sees notes that the process was told of s; what it was told before counts for
// nothing when s is older.
func (p *Process) sees(s state) {
	w := p.world
	old := p.sight.state
	if p.sight.known && s.position < old.position {
		return
	}
	known := p.sight.known && old.record == s.record && (old.position > 0 || s.position == 0)
	if p.looksAlike(old, s) {
		known, p.sight.alike = true, true
	} else if !known {
		p.sight.alike = false
	}
	p.sight.state, p.sight.known = s, true
	if known && (s.edited == old.edited || s.held()) {
		return
	}
	p.sight.first, p.sight.told = p.clock.Now(), w.now()
	p.sight.forget()
	if !s.Exists() || s.author == p || s.edited || p.leading || p.Coordinated || w.options.Reference {
		return
	}
	wait := max(s.lease, s.Duration)
	if s.Record.HolderIdentity == "" {
		wait = 0
	}
	others := time.Duration(0)
	if w.has(Successors | Priorities) {
		others = 2 * p.Timing.moment()
	}
	p.sight.claimableAt = w.now() + p.clock.wait(wait)
	p.sight.check = time.AfterFunc(p.clock.wait(wait+others)+claimWithin+2*p.clock.grain, func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		p.late(s)
	})
}

// looksAlike reports whether the process cannot know that others have led between
// two states, the later of which a backup has brought back. A lock that is no more
// than client-go's Interface shows the record and no version, and the record is the
// same to the last byte. Any other shows the same write, at a version that is no lower
// since the Lease was edited by hand after that.
func (p *Process) looksAlike(before, now state) bool {
	restored := p.world.store.restored
	if !p.sight.known || before.position >= restored || now.position < restored || !before.Exists() {
		return false
	}
	if p.host.plain {
		return reflect.DeepEqual(before.Record, now.Record)
	}
	return before.Stated.Mark != "" && before.Stated.Mark == now.Stated.Mark && now.version >= before.version
}

// late judges a candidate at the moment by which its work should have begun, if
// nobody was faster.
func (p *Process) late(s state) {
	w := p.world
	if w.over || p.dead() || p.cancelled || p.leading || p.working || p.exited || p.returned || p.host.paused() {
		return
	}
	if now := w.store.current(); now.record == s.record && !now.vague && p.unhindered(s) {
		w.violated("prompt takeover", p, "may claim the lease since %v and does not lead", w.now()-p.sight.claimableAt)
	}
}

// unhindered reports whether nothing kept the candidate from learning of s, by
// its watch, and from acting on it. What a watch shows after a restore is older
// than what was seen, until a read has shown that this is the present: one that
// comes with every lease.
//
// An edit that a webhook has rewritten may look like a renewal.
func (p *Process) unhindered(s state) bool {
	w := p.world
	since := w.now() - p.sight.claimableAt
	calls := p.clock.truly(p.Timing.backoff()) + 2*p.attempt() + claimWithin
	stream := p.stream
	return stream != nil && !stream.silent && stream.lag == 0 && stream.opened < s.committed &&
		!p.host.plain && p.unreturned < bounded.Most && (p.clock.grain == 0 || w.has(Strict)) && p.host.clearFor(calls+since) &&
		w.lastEdit < p.sight.claimableAt-8*clearDelay && (w.lastEdit == 0 || !w.has(Webhook)) && w.lastRestore < s.committed-p.clock.truly(4*p.Timing.Lease) && p.joined < s.committed && p.host.disturbed() < s.committed &&
		w.now()-p.resigned > 2*p.clock.truly(p.Timing.Lease)
}

// claims judges a claim at its sending.
func (p *Process) claims(base string) {
	w := p.world
	s, again := p.sight.state, p.sight.claimed >= p.sight.claimableAt
	p.sight.claimed, p.sight.misled = w.now(), p.sight.alike || p.oldAppointment(s)
	if w.options.Reference || p.Coordinated || base == "" || base != s.ResourceVersion || s.author == p {
		return
	}
	if p.provenDead(s) {
		return
	}
	if p.clock.Since(p.sight.first) < s.lease && s.held() {
		w.violated("patience", p, "claims the lease %v after it saw the record first, which may be taken after %v", p.clock.Since(p.sight.first), s.lease)
	}
	p.goesFirst(s)
	if now := w.store.current(); !again && now.record == s.record && !now.edited && p.unhindered(s) {
		w.result.Prompt++
		_, others := p.holdsBack(s)
		late := w.now() - p.sight.claimableAt - p.clock.truly(others)
		if late > claimWithin+2*p.clock.grain {
			w.violated("prompt takeover", p, "claims the lease %v after it might and those had their time whom it lets go first", late)
		}
		w.result.Worst = max(w.result.Worst, late)
	}
}

// oldAppointment reports whether a claim on s goes by an appointment that a backup has
// brought back before the process began, which cannot know that it is of long ago.
func (p *Process) oldAppointment(s state) bool {
	store := p.world.store
	return p.Coordinated && store.epoch > 0 && p.joined > p.world.lastRestore && s.record == store.history[store.restored].record
}

// provenDead reports whether a claim on s may rest on a proof that whoever wrote it is
// dead. One who has begun after a backup was restored cannot know who led before that,
// and is misled where the dead is whom the backup names.
func (p *Process) provenDead(s state) bool {
	switch {
	case s.Record.HolderIdentity == "":
		return false
	case s.author != nil:
		return p.proven[s.author.name]
	case s.before != nil && p.joined > p.world.lastRestore && p.proven[s.before.name]:
		p.sight.misled = true
		return true
	}
	return false
}

// watched judges whether a candidate that may watch does, when nothing keeps it
// from it, as calls do of which so many have not returned that it makes no more.
func (h *Host) watched() {
	w, p := h.world, h.process
	if p == nil || p.dead() || p.exited || p.returned || p.leading || p.working || p.cancelled || p.stream != nil || !p.sight.known ||
		h.forbidden || h.plain || w.options.Reference || p.unreturned >= bounded.Most {
		return
	}
	patience := time.Minute + p.clock.truly(4*p.Timing.Lease)
	if since := w.now() - max(p.unwatched, p.ended, p.joined); since > patience && h.clearFor(patience) && w.now()-h.woke > patience {
		w.violated("watch", p, "does not watch the lease for %v, which it may", since)
	}
}
